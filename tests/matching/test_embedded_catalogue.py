"""Search by similarity against a search of everything."""

from dataclasses import replace

import numpy as np
import pytest

from app.errors import ImageCorrupt, ImageEmpty, PostingNotFound
from app.matching.embedded_catalogue import EmbeddedCatalogue
from app.matching.postings import Catalogue
from tests.fakes import COLOURS, BruteForceIndex, picture, tiny_embedded, tiny_images

PICTURES = list(tiny_images().contents.values())


def expected(embedded: EmbeddedCatalogue, query: int) -> list[tuple[str, float]]:
    """Every posting and its similarity to one, descending."""
    similarities = np.clip(embedded.embeddings @ embedded.embeddings[query], -1, 1)
    order = np.argsort(-similarities, kind="stable")
    return [(f"p{row}", float(similarities[row])) for row in order]


@pytest.mark.parametrize("query", range(len(COLOURS)))
def test_a_picture_finds_all_postings_by_descending_similarity(query: int) -> None:
    embedded = tiny_embedded()
    found = [(match.posting_id, match.similarity) for match in embedded.match(PICTURES[query], 100)]
    assert found == expected(embedded, query)
    assert found[0][0] == f"p{query}"
    assert found[0][1] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("query", range(len(COLOURS)))
def test_a_stored_posting_finds_the_same_but_itself_without_encoding(query: int) -> None:
    embedded = tiny_embedded()
    found = [(match.posting_id, match.similarity) for match in embedded.match_posting(f"p{query}", 3)]
    assert found == [match for match in expected(embedded, query) if match[0] != f"p{query}"][:3]
    assert embedded.encoder.batches == []  # type: ignore[attr-defined]  # the fake counts


def test_the_limit_and_the_least_similarity_cut_the_list() -> None:
    embedded = tiny_embedded()
    assert [match.posting_id for match in embedded.match(PICTURES[0], 1)] == ["p0"]
    assert [match.posting_id for match in embedded.match(PICTURES[0], 100, 0.9)] == ["p0", "p1"]
    assert [match.posting_id for match in embedded.match_posting("p0", 100, 0.9)] == ["p1"]


def test_a_posting_among_many_equal_ones_still_gets_as_many_matches_as_asked() -> None:
    embedded = tiny_embedded(["#ff0000"] * 5)
    assert [match.posting_id for match in embedded.match_posting("p4", 2)] == ["p0", "p1"]
    assert [match.posting_id for match in embedded.match_posting("p0", 2)] == ["p1", "p2"]
    assert [match.posting_id for match in embedded.match_posting("p0", 50)] == ["p1", "p2", "p3", "p4"]


def test_any_index_of_the_port_will_do() -> None:
    exact = tiny_embedded()
    brute = replace(exact, index=BruteForceIndex(exact.embeddings))
    assert list(brute.match(PICTURES[2], 4)) == list(exact.match(PICTURES[2], 4))


def test_an_empty_catalogue_matches_nothing() -> None:
    embedded = tiny_embedded([])
    assert list(embedded.catalogue) == list(Catalogue([]))
    assert list(embedded.match(PICTURES[0], 10)) == []


def test_an_unknown_posting_is_named() -> None:
    with pytest.raises(PostingNotFound, match="'p99'"):
        tiny_embedded().match_posting("p99", 1)


def test_embed_encodes_the_good_pictures_together_and_says_what_is_wrong_with_the_others() -> None:
    embedded = tiny_embedded()
    embeddings, errors = embedded.embed([PICTURES[3], b"", PICTURES[4], picture("red")[:40]])
    np.testing.assert_array_equal(embeddings, embedded.embeddings[[3, 4]])
    assert [type(error) for error in errors] == [type(None), ImageEmpty, type(None), ImageCorrupt]
    assert embedded.encoder.batches == [2]  # type: ignore[attr-defined]  # the fake counts


@pytest.mark.parametrize("images", [[], [b"", b"<svg/>"]])
def test_embed_of_nothing_good_gives_no_rows(images: list[bytes]) -> None:
    embeddings, errors = tiny_embedded().embed(images)
    assert embeddings.shape == (0, 4)
    assert all(error is not None for error in errors)
    assert len(errors) == len(images)


def test_the_versions_are_the_encoders() -> None:
    assert tiny_embedded().versions == {"mean-colour": "1"}


def test_the_embeddings_of_some_postings_are_theirs_and_zeros_where_there_is_none() -> None:
    embedded = tiny_embedded()
    found = embedded.embeddings_of(["p3", "bare", "p0", "p3"])
    np.testing.assert_array_equal(found[[0, 2, 3]], embedded.embeddings[[3, 0, 3]])
    assert not found[1].any()
    assert embedded.embeddings_of([]).shape == (0, embedded.encoder.dimension)
