"""The nearest dense rows, against the distances of all pairs."""

from collections.abc import Callable

import numpy as np
import pytest

from pricematch.catalogue.features import Embeddings
from pricematch.search import dense
from pricematch.search.dense import DenseIndex
from pricematch.search.neighbours import radius_graph
from tests.support.vectors import clustered, collinear, duplicated, lattice, matrix_of, scattered

Make = Callable[..., Embeddings]
MAKES = [scattered, clustered, duplicated, collinear, lattice]


@pytest.mark.slow
@pytest.mark.parametrize("block_values", [1, 500, 1 << 24])
@pytest.mark.parametrize("count", [0, 1, 7, 59, 80])
@pytest.mark.parametrize("make", MAKES)
def test_nearest_neighbours_are_ordered_by_distance_and_row(
    make: Make, count: int, block_values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense, "_BLOCK_VALUES", block_values)
    embeddings = make(60)
    matrix = matrix_of(radius_graph(embeddings, 2))
    found = DenseIndex(embeddings).nearest_others(count)
    assert found.rows.shape == found.similarities.shape == (60, count)
    for row in range(60):
        others = sorted((other for other in range(60) if other != row), key=lambda other: (matrix[row, other], other))
        expected = others[:count]
        assert found.rows[row].tolist() == expected + [-1] * (count - len(expected))
        np.testing.assert_array_equal(found.similarities[row, : len(expected)], 1 - matrix[row, expected])
        assert (found.similarities[row, len(expected) :] == -np.inf).all()


def test_progress_is_reported_by_block_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "_BLOCK_VALUES", 3 * 10)
    told: list[int] = []
    DenseIndex(scattered(10)).nearest_others(2, told.append)
    assert told == [3, 6, 9, 10]


@pytest.mark.parametrize("n", [0, 1])
def test_without_others_there_are_no_neighbours(n: int) -> None:
    found = DenseIndex(np.ones((n, 4), np.float32)).nearest_others(3)
    assert found.rows.tolist() == [[-1] * 3] * n
