"""All facts of a catalogue together."""

import hashlib
from collections.abc import Mapping

import pytest

from pricematch.catalogue.postings import Posting
from pricematch.encoding.ports import Header
from pricematch.errors import ImageCorrupt, ImageEmpty, ImageUnavailable
from pricematch.evaluation.exploration import Exploration, ImageFacts, describe_titles, explore, read_image_facts
from pricematch.evaluation.near_duplicates import Relation
from tests.support.catalogues import repetitive_postings
from tests.support.fakes import FolderlessImages


def facts(content: bytes, phash: str | None = None) -> ImageFacts:
    return ImageFacts(Header("image/png", 4, 3), len(content), hashlib.sha256(content).digest(), phash)


def explored(postings: list[Posting], pictures: Mapping[str, ImageFacts] | None = None, seed: int = 0) -> Exploration:
    return explore(postings, pictures, seed, lambda *_: None)


def test_the_same_bytes_under_two_names_are_one_content() -> None:
    postings = [Posting(f"p{row}", name, label_group=f"g{row}") for row, name in enumerate("abc")]
    found = explored(postings, {"a": facts(b"same"), "b": facts(b"same"), "c": facts(b"other")})
    assert (found.names.distinct, found.contents.distinct) == (3, 2)
    assert found.contents.across == ((0, 1),)
    assert found.names.across == ()


def test_missing_hashes_are_computed_of_images() -> None:
    """A hash that the catalogue has stays."""
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


def test_images_that_were_not_looked_at_have_no_contents() -> None:
    found = explored([Posting("p0", "a"), Posting("p1", "a")])
    assert found.images is None
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


def test_lengths_are_in_characters_and_in_words_between_white_space() -> None:
    facts = describe_titles(["Kopi  Susu 1L", "Éclair", "🙂"], 10)
    assert facts.characters.tolist() == [13, 6, 1]
    assert facts.words.tolist() == [3, 1, 1]


def test_the_commonest_words_are_counted_once_a_title() -> None:
    """A title that repeats a word counts once."""
    facts = describe_titles(["tas tas tas tas MERAH", "Merah, putih", "putih; merah", "zz aa"], 4)
    assert facts.common == (("merah", 3), ("putih", 2), ("aa", 1), ("tas", 1))


def test_words_are_those_that_titles_are_compared_by() -> None:
    """Without case and accents, quantities in their base unit, single letters left out."""
    facts = describe_titles(["A4 b ÉCLAIR_x 0,5 l <script> 日本語 🙂🙂 --"], 10)
    assert {word for word, _ in facts.common} == {"eclair", "500ml", "script", "日本語"}


def test_no_titles_have_no_words() -> None:
    facts = describe_titles([], 4)
    assert (len(facts.characters), len(facts.words), facts.common) == (0, 0, ())


class Reports:
    """Remembers progress."""

    def __init__(self) -> None:
        self.reported: list[tuple[str, int, int]] = []

    def __call__(self, what: str, done: int, total: int) -> None:
        self.reported.append((what, done, total))


def header(image: bytes) -> Header:
    if not image:
        raise ImageEmpty("nothing")
    return Header("image/png", len(image), 1)


def phash(image: bytes) -> str:
    if image == b"broken":
        raise ImageCorrupt("it is broken")
    return f"{len(image):016x}"


def test_only_images_without_a_hash_are_hashed() -> None:
    images, reported = FolderlessImages({"a": b"one", "b": b"three", "c": b"one"}), Reports()
    facts, errors = read_image_facts(["a", "b", "c"], images, header, phash, {"b"}, workers=2, progress=reported)
    assert errors == {}
    assert {name: (fact.header.width, fact.size, fact.phash) for name, fact in facts.items()} == {
        "a": (3, 3, None),
        "b": (5, 5, f"{5:016x}"),
        "c": (3, 3, None),
    }
    assert facts["a"].digest == facts["c"].digest == hashlib.sha256(b"one").digest()
    assert reported.reported == [("Looking at images", 3, 3)]


def test_bad_images_are_reported_by_name_and_the_others_are_described() -> None:
    images = FolderlessImages({"good": b"good", "empty": b"", "broken": b"broken"})
    names = ["good", "missing", "empty", "broken"]
    facts, errors = read_image_facts(names, images, header, phash, {"broken"}, workers=2, progress=Reports())
    assert list(facts) == ["good"]
    assert {name: type(error) for name, error in errors.items()} == {
        "missing": ImageUnavailable,
        "empty": ImageEmpty,
        "broken": ImageCorrupt,
    }


def test_progress_is_reported_in_batches_and_at_the_end() -> None:
    images, reported = FolderlessImages({f"{number}": b"x" for number in range(70)}), Reports()
    read_image_facts(list(images.contents), images, header, phash, (), workers=2, progress=reported)
    assert [done for _, done, _ in reported.reported] == [32, 64, 70]


def test_no_images_are_no_work() -> None:
    assert read_image_facts([], FolderlessImages({}), header, phash, (), workers=1, progress=Reports()) == ({}, {})
