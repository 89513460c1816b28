"""Search by similarity against a search of everything."""

from dataclasses import replace

import numpy as np
import pytest

from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.matching.embedded_catalogue import EmbeddedCatalogue
from tests.support.fakes import COLOURS, BruteForceIndex, tiny_embedded

COLOUR = tiny_embedded().embeddings[:, np.newaxis]
"""The embedding [1, d] of each posting."""


def expected(embedded: EmbeddedCatalogue, query: int) -> list[tuple[str, float]]:
    """Every posting and its similarity to one, descending."""
    embeddings = embedded.embeddings.astype(np.float64)
    similarities = np.clip((embeddings * embeddings[query]).sum(axis=1).round(12), -1, 1)
    order = np.argsort(-similarities, kind="stable")
    return [(f"p{row}", float(similarities[row])) for row in order]


@pytest.mark.parametrize("query", range(len(COLOURS)))
def test_a_picture_finds_all_postings_by_descending_similarity(query: int) -> None:
    embedded = tiny_embedded()
    found = [(match.posting_id, match.similarity) for match in embedded.match(COLOUR[query], 100)]
    assert found == expected(embedded, query)
    assert found[0][0] == f"p{query}"
    assert found[0][1] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("query", range(len(COLOURS)))
def test_a_stored_posting_finds_the_same_but_itself_without_encoding(query: int) -> None:
    embedded = tiny_embedded()
    found = [(match.posting_id, match.similarity) for match in embedded.match_posting(f"p{query}", 3)]
    assert found == [match for match in expected(embedded, query) if match[0] != f"p{query}"][:3]


def test_the_limit_and_the_least_similarity_cut_the_list() -> None:
    embedded = tiny_embedded()
    assert [match.posting_id for match in embedded.match(COLOUR[0], 1)] == ["p0"]
    assert [match.posting_id for match in embedded.match(COLOUR[0], 100, 0.9)] == ["p0", "p1"]
    assert [match.posting_id for match in embedded.match_posting("p0", 100, 0.9)] == ["p1"]


def test_a_posting_among_many_equal_ones_still_gets_as_many_matches_as_asked() -> None:
    embedded = tiny_embedded(["#ff0000"] * 5)
    assert [match.posting_id for match in embedded.match_posting("p4", 2)] == ["p0", "p1"]
    assert [match.posting_id for match in embedded.match_posting("p0", 2)] == ["p1", "p2"]
    assert [match.posting_id for match in embedded.match_posting("p0", 50)] == ["p1", "p2", "p3", "p4"]


def test_any_index_of_the_port_will_do() -> None:
    exact = tiny_embedded()
    brute = replace(exact, index_over=BruteForceIndex)
    assert list(brute.match(COLOUR[2], 4)) == list(exact.match(COLOUR[2], 4))


def test_an_empty_catalogue_matches_nothing() -> None:
    embedded = tiny_embedded([])
    assert list(embedded.catalogue) == list(Catalogue([]))
    assert list(embedded.match(COLOUR[0], 10)) == []


def without_a_picture() -> EmbeddedCatalogue:
    """The tiny catalogue after a change: `p1` is gone, `bare` has come without a picture, `p3` got that of `p0`."""
    embedded = tiny_embedded()
    catalogue = embedded.catalogue.changed([Posting("bare", None), Posting("p3", "p0.png")], ["p1"])
    return embedded.changed(catalogue, np.concatenate([np.zeros((1, 4), np.float32), embedded.embeddings[:1]]))


def test_a_posting_without_a_picture_and_one_that_is_not_there_match_nothing() -> None:
    embedded = without_a_picture()
    assert [list(embedded.match_posting(posting_id, 9)) for posting_id in ("bare", "p1", "p99")] == [[], [], []]


def test_a_change_is_seen_by_whoever_searches_the_changed_catalogue_and_by_nobody_else() -> None:
    before, after = tiny_embedded(), without_a_picture()
    assert [match.posting_id for match in after.match(COLOUR[0], 2)] == ["p0", "p3"]
    assert {match.posting_id for match in after.match(COLOUR[0], 99)} == {"p0", "p2", "p3", "p4", "p5", "p6"}
    changed = before.changed(before.catalogue.changed([], ["p1"]), np.empty((0, 4), np.float32))
    assert [match.posting_id for match in changed.match_posting("p0", 99)][:1] != ["p1"]
    assert [match.posting_id for match in before.match_posting("p0", 99)][:1] == ["p1"]
    assert changed.encoder is before.encoder


def test_the_graph_is_that_of_the_postings_with_a_picture_by_their_ids() -> None:
    embedded = without_a_picture()
    assert [embedded.catalogue[row].posting_id for row in embedded.by_id] == ["p0", "p2", "p3", "p4", "p5", "p6"]
    near = embedded.graph.within(1e-6, 99)
    pairs = set(zip(near.lines().tolist(), near.rows.tolist(), strict=True))
    assert pairs == {*((line, line) for line in range(6)), (0, 2), (2, 0)}


def test_the_similarity_of_what_has_no_picture_is_none() -> None:
    embedded = without_a_picture()
    query = embedded.rows.embedding("p0")
    assert embedded.similarities(query, ["bare", "p1", "p3"]) == [None, None, pytest.approx(1)]
    assert embedded.similarities(None, ["p0"]) == [None]


def test_the_versions_are_the_encoders() -> None:
    assert tiny_embedded().versions == {"mean-colour": "1"}


def test_the_embeddings_of_some_postings_are_theirs_and_zeros_where_there_is_none() -> None:
    embedded = tiny_embedded()
    found = embedded.rows.embeddings_of(["p3", "bare", "p0", "p3"])
    np.testing.assert_array_equal(found[[0, 2, 3]], embedded.embeddings[[3, 0, 3]])
    assert not found[1].any()
    assert embedded.rows.embeddings_of([]).shape == (0, embedded.encoder.dimension)
