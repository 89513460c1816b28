"""Exact search against sorting everything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.embedded_rows import EmbeddedRows
from pricematch.catalogue.embeddings import Embeddings
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.matching.exact_index import ExactIndex
from pricematch.matching.matches import Matches
from tests.support.fakes import BruteForceIndex
from tests.support.vectors import duplicated, lattice, scattered


def rows_of(embeddings: Embeddings, order: list[int] | None = None) -> EmbeddedRows:
    """Postings `p00`, `p01` … with these embeddings, in the catalogue in some order of theirs."""
    order = list(range(len(embeddings))) if order is None else order
    return EmbeddedRows(Catalogue([Posting(f"p{row:02}", None) for row in order]), embeddings[order])


def told(found: Matches) -> list[tuple[str, float | None]]:
    return [(match.posting_id, match.similarity) for match in found]


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 1000))
def test_it_finds_what_sorting_finds_ties_included(count: int, limit: int, seed: int) -> None:
    embeddings, queries = lattice(count, seed=seed), lattice(3, seed=seed + 1)
    rows = rows_of(embeddings)
    for query in (queries, embeddings[:2]):
        found = ExactIndex(rows).search(query, limit)
        assert list(map(told, found)) == list(map(told, BruteForceIndex(rows).search(query, limit)))
        assert {len(matches) for matches in found} == {min(limit, count)}


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 1000))
def test_where_products_are_rounded_the_postings_are_the_same_and_similarities_are_right_to_twelve_decimals(
    count: int, limit: int, seed: int
) -> None:
    rows = rows_of(duplicated(count, seed=seed))
    for query in (scattered(3, seed=seed + 1), rows.embeddings[:2]):
        expected = BruteForceIndex(rows).search(query, limit)
        for one, other in zip(ExactIndex(rows).search(query, limit), expected, strict=True):
            assert [posting_id for posting_id, _ in told(one)] == [posting_id for posting_id, _ in told(other)]
            found = [value for _, value in told(one)]
            assert found == pytest.approx([value for _, value in told(other)], abs=2e-12)


@given(st.integers(1, 60), st.integers(1, 8), st.integers(0, 1000), st.sampled_from([3, 8, 61]))
def test_in_which_row_a_posting_is_changes_not_a_bit_of_what_is_found(
    count: int, limit: int, seed: int, dimension: int
) -> None:
    embeddings = np.concatenate([duplicated(count, dimension, seed), scattered(count, dimension, seed)])
    order = np.random.default_rng(seed).permutation(2 * count).tolist()
    query = np.concatenate([embeddings[:2], scattered(2, dimension, seed + 1)])
    one, other = (ExactIndex(rows_of(embeddings, places)).search(query, limit) for places in (None, order))
    assert list(map(told, one)) == list(map(told, other))


def test_equal_rows_come_by_their_ids_also_at_the_cut() -> None:
    embeddings = np.array([[0, 1], [1, 0], [1, 0], [0.6, 0.8], [1, 0]], np.float32)
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 1, 3]):
        index = ExactIndex(rows_of(embeddings, order))
        assert told(index.search(embeddings[1:2], 2)[0]) == [("p01", 1), ("p02", 1)]
        assert [posting_id for posting_id, _ in told(index.search(embeddings[1:2], 5)[0])] == [
            "p01",
            "p02",
            "p04",
            "p03",
            "p00",
        ]


def test_rows_that_float32_cannot_tell_apart_come_by_what_float64_says() -> None:
    close = np.nextafter(np.float32(1), np.float32(0))
    embeddings = np.array([[close, 0, 0.01], [1, 0, 0], [close, 0, 0]], np.float32)
    query = np.array([[1, 1e-9, 0]], np.float32)
    assert [match.posting_id for match in ExactIndex(rows_of(embeddings)).search(query, 1)[0]] == ["p01"]
    assert [match.posting_id for match in ExactIndex(rows_of(embeddings)).search(query, 2)[0]] == ["p01", "p00"]


def test_postings_without_an_embedding_are_never_found_and_opposite_ones_are() -> None:
    embeddings = np.array([[0, 0], [-1, 0], [0, 0], [0, -1]], np.float32)
    index = ExactIndex(rows_of(embeddings))
    assert told(index.search(np.array([[1, 0]], np.float32), 9)[0]) == [("p03", 0), ("p01", -1)]


def test_rounding_never_leaves_the_range_of_a_cosine() -> None:
    embeddings = scattered(90, dimension=64)
    for matches in ExactIndex(rows_of(embeddings)).search(np.concatenate([embeddings, -embeddings]), 90):
        assert all(-1 <= (match.similarity or 0) <= 1 for match in matches)


@pytest.mark.parametrize("limit", [1, 10])
def test_no_rows_give_no_matches(limit: int) -> None:
    found = ExactIndex(rows_of(np.empty((0, 3), np.float32))).search(scattered(2, 3), limit)
    assert [list(matches) for matches in found] == [[], []]


def test_no_queries_give_no_answers() -> None:
    assert list(ExactIndex(rows_of(scattered(5))).search(np.empty((0, 8), np.float32), 3)) == []
