"""Exact search against sorting everything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.exact_index import ExactIndex
from tests.fakes import BruteForceIndex
from tests.matching.vectors import duplicated, scattered


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 1000))
def test_it_finds_what_sorting_finds_ties_included(count: int, limit: int, seed: int) -> None:
    embeddings, queries = duplicated(count, seed=seed), scattered(3, seed=seed + 1)
    for query in (queries, embeddings[:2]):
        rows, similarities = ExactIndex(embeddings).search(query, limit)
        expected_rows, expected_similarities = BruteForceIndex(embeddings).search(query, limit)
        np.testing.assert_array_equal(rows, expected_rows)
        np.testing.assert_array_equal(similarities, expected_similarities)
        assert rows.shape == (len(query), min(limit, count))


def test_equal_rows_come_in_ascending_order_also_at_the_cut() -> None:
    embeddings = np.array([[0, 1], [1, 0], [1, 0], [0.6, 0.8], [1, 0]], np.float32)
    rows, similarities = ExactIndex(embeddings).search(embeddings[1:2], 2)
    assert rows.tolist() == [[1, 2]]
    assert similarities.tolist() == [[1, 1]]
    rows, _ = ExactIndex(embeddings).search(embeddings[1:2], 5)
    assert rows.tolist() == [[1, 2, 4, 3, 0]]


def test_rounding_never_leaves_the_range_of_a_cosine() -> None:
    embeddings = scattered(500, dimension=64)
    _, similarities = ExactIndex(embeddings).search(np.concatenate([embeddings, -embeddings]), 500)
    assert similarities.max() <= 1
    assert similarities.min() >= -1


@pytest.mark.parametrize("limit", [1, 10])
def test_no_rows_give_no_matches(limit: int) -> None:
    rows, similarities = ExactIndex(np.empty((0, 3), np.float32)).search(scattered(2, 3), limit)
    assert rows.shape == similarities.shape == (2, 0)


def test_no_queries_give_no_lines() -> None:
    rows, similarities = ExactIndex(scattered(5)).search(np.empty((0, 8), np.float32), 3)
    assert rows.shape == similarities.shape == (0, 3)
