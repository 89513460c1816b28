"""Radius graphs against all pairs."""

import numpy as np
import pytest

from app.errors import LimitExceeded
from app.matching import neighbours
from app.matching.embeddings import Embeddings
from app.matching.neighbours import radius_graph
from tests.matching.vectors import clustered, duplicated, radius_in_a_gap, scattered


@pytest.mark.parametrize("block_values", [1, 200, 1 << 24])
@pytest.mark.parametrize("make", [scattered, clustered, duplicated])
@pytest.mark.parametrize("share", [0.02, 0.3, 1.0])
def test_it_holds_exactly_the_pairs_within_the_radius(
    make: type, share: float, block_values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK_VALUES", block_values)
    embeddings: Embeddings = make(60)
    radius = radius_in_a_gap(embeddings, share)
    graph = radius_graph(embeddings, radius)
    distances = 1 - embeddings.astype(np.float64) @ embeddings.T.astype(np.float64)
    assert len(graph) == 60
    for row in range(60):
        rows, found = graph.neighbours(row)
        np.testing.assert_array_equal(rows, np.flatnonzero(distances[row] <= radius))
        np.testing.assert_allclose(found, np.clip(distances[row, rows], 0, 2), atol=1e-6)


def test_a_row_is_its_own_neighbour_at_distance_zero_even_at_radius_zero() -> None:
    graph = radius_graph(scattered(40), 0)
    np.testing.assert_array_equal(graph.rows, np.arange(40))
    np.testing.assert_array_equal(graph.distances, np.zeros(40))


def test_opposite_rows_are_neighbours_at_the_largest_radius_only() -> None:
    embeddings = np.array([[1, 0], [-1, 0]], np.float32)
    assert len(radius_graph(embeddings, 1.99).rows) == 2
    assert len(radius_graph(embeddings, 2).rows) == 4


def test_no_rows_make_an_empty_graph() -> None:
    graph = radius_graph(np.empty((0, 4), np.float32), 1)
    assert len(graph) == 0
    assert len(graph.rows) == len(graph.distances) == 0


@pytest.mark.parametrize("block_values", [1, 1 << 24])
def test_more_pairs_than_the_limit_are_refused_and_as_many_are_not(
    block_values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK_VALUES", block_values)
    embeddings = scattered(10)
    assert len(radius_graph(embeddings, 2, max_pairs=10 * 10).rows) == 10 * 10
    with pytest.raises(LimitExceeded, match="expected at most 99 pairs"):
        radius_graph(embeddings, 2, max_pairs=10 * 10 - 1)
