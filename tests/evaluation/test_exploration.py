"""All facts of a catalogue together."""

import hashlib
from collections.abc import Mapping

import pytest

from pricematch.catalogue.postings import Posting
from pricematch.encoding.ports import Header
from pricematch.evaluation.exploration import Exploration, explore
from pricematch.evaluation.groups import Relation
from pricematch.evaluation.pictures import PictureFacts
from tests.support.catalogues import repetitive_postings


def facts(content: bytes, phash: str | None = None) -> PictureFacts:
    return PictureFacts(Header("image/png", 4, 3), len(content), hashlib.sha256(content).digest(), phash)


def explored(postings: list[Posting], pictures: Mapping[str, PictureFacts] | None = None, seed: int = 0) -> Exploration:
    return explore(postings, pictures, seed, lambda *_: None)


def test_the_same_bytes_under_two_names_are_one_content() -> None:
    postings = [Posting(f"p{row}", name, label_group=f"g{row}") for row, name in enumerate("abc")]
    found = explored(postings, {"a": facts(b"same"), "b": facts(b"same"), "c": facts(b"other")})
    assert (found.names.distinct, found.contents.distinct) == (3, 2)
    assert found.contents.across == ((0, 1),)
    assert found.names.across == ()


def test_a_hash_that_the_catalogue_lacks_is_the_pictures_and_one_it_has_stays() -> None:
    postings = [
        Posting("p0", "a", image_phash="0" * 16),
        Posting("p1", "b"),
        Posting("p2", "missing"),
        Posting("p3", None),
    ]
    found = explored(postings, {"a": facts(b"a", "f" * 16), "b": facts(b"b", "0" * 15 + "1")})
    assert found.hashed_here == 1
    assert (found.hashes.distinct, found.hashes.missing) == (2, 2)
    assert found.near.pairs[1].tolist() == [0, 0, 1]


def test_pictures_that_were_not_looked_at_have_no_contents() -> None:
    found = explored([Posting("p0", "a"), Posting("p1", "a")])
    assert found.pictures is None
    assert (found.contents.distinct, found.names.distinct) == (0, 1)
    assert found.hashed_here == 0


def test_empty_titles_are_none() -> None:
    found = explored([Posting("p0", None, ""), Posting("p1", None, "tas"), Posting("p2", None, "tas")])
    assert (found.titles.distinct, found.titles.missing) == (1, 1)
    assert found.title_facts.characters.tolist() == [3, 3]


def test_examples_are_rows_of_one_group_each() -> None:
    postings = repetitive_postings(60, 0)
    found = explored(postings)
    assert 0 < len(found.examples) <= 8
    for rows in found.examples:
        [label] = {postings[row].label_group for row in rows}
        assert label is not None
        assert len(rows) == sum(posting.label_group == label for posting in postings) > 1


@pytest.mark.parametrize("posting", [Posting("p0", None), Posting("p0", "a.png", "tas", "0" * 16, "g")])
def test_a_catalogue_of_one_posting_can_be_explored(posting: Posting) -> None:
    found = explored([posting])
    assert len(found.postings) == 1
    assert found.near.pairs.sum() == 0
    assert list(found.near.examples) == list(Relation)
    assert found.examples == []


def test_the_seed_draws_the_examples_and_nothing_else() -> None:
    postings = repetitive_postings(80, 0)
    one, same, other = (explored(postings, seed=seed) for seed in (1, 1, 2))
    drawn = [[rows.tolist() for rows in found.examples] for found in (one, same, other)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert one.near.pairs.tolist() == other.near.pairs.tolist()
    assert one.names.across == other.names.across
