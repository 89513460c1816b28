"""Exact neighbours against all pairs."""

from collections.abc import Callable

import numpy as np
import pytest

from pricematch.catalogue.features import Embeddings
from pricematch.errors import LimitExceeded
from pricematch.search import distances as distances_module
from pricematch.search import neighbours
from pricematch.search.distances import unit_rows
from pricematch.search.neighbours import NeighbourGraph, radius_graph
from tests.support.vectors import (
    STEP,
    clustered,
    collinear,
    duplicated,
    exact_distances,
    lattice,
    matrix_of,
    scattered,
)

Make = Callable[..., Embeddings]
MAKES = [scattered, clustered, duplicated, collinear]
TOLERANCE = 2e-15
"""By which sums of products in another order may differ."""


def assert_equal(one: NeighbourGraph, other: NeighbourGraph) -> None:
    assert one.radius == other.radius
    np.testing.assert_array_equal(one.starts, other.starts)
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.distances, other.distances)


@pytest.mark.slow
@pytest.mark.parametrize("block_values", [1, 200, 1 << 24])
@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("radius", [0.0, 0.004, 0.3, 2.0])
def test_a_graph_holds_exactly_the_pairs_within_its_radius(
    make: Make, radius: float, block_values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK_VALUES", block_values)
    monkeypatch.setattr(distances_module, "_VALUES_AT_ONCE", 7)
    embeddings = make(60)
    distances = exact_distances(embeddings)
    assert not ((abs(distances - radius) <= TOLERANCE) & (distances != 0)).any() or radius in {0.0, 2.0}
    graph = radius_graph(embeddings, radius)
    assert len(graph) == 60
    for row in range(60):
        span = slice(graph.starts[row], graph.starts[row + 1])
        near = np.flatnonzero(distances[row] <= radius)
        np.testing.assert_array_equal(np.sort(graph.rows[span]), near)
        np.testing.assert_allclose(graph.distances[span], distances[row, graph.rows[span]], rtol=0, atol=TOLERANCE)


def test_no_pair_is_lost_to_the_rounding_of_float32_products() -> None:
    rng = np.random.default_rng(0)
    embeddings = unit_rows((1 + 1e-4 * rng.standard_normal((120, 2048))).astype(np.float32)).astype(np.float32)
    distances = radius_graph(embeddings, 2).distances
    radius = float(np.median(distances))
    # far more pairs than one are nearer to the radius than a product in float32 can tell
    assert (abs(distances - radius) < 6e-8).sum() > 20
    assert len(radius_graph(embeddings, radius).rows) == (distances <= radius).sum()


def test_equal_rows_of_any_length_are_at_distance_zero() -> None:
    for dimension in (2, 64, 513, 2048):
        twins = np.repeat(scattered(40, dimension), 2, axis=0)
        assert (np.diff(radius_graph(twins, 0).starts) == 2).all()


@pytest.mark.parametrize("make", MAKES)
def test_neighbours_stand_by_distance_itself_first_and_ties_by_row(make: Make) -> None:
    graph = radius_graph(make(80), 0.5)
    for row in range(80):
        span = slice(graph.starts[row], graph.starts[row + 1])
        rows, distances = graph.rows[span].tolist(), graph.distances[span].tolist()
        assert (rows[0], distances[0]) == (row, 0)
        standing = list(zip(distances[1:], rows[1:], strict=True))
        assert standing == sorted(standing)


def test_distances_are_the_same_in_both_directions_and_for_equal_rows() -> None:
    embeddings = duplicated(90, dimension=13)
    matrix = matrix_of(radius_graph(embeddings, 2))
    np.testing.assert_array_equal(matrix, matrix.T)
    for row, twin in np.argwhere((embeddings[:, np.newaxis] == embeddings).all(axis=2)):
        np.testing.assert_array_equal(matrix[row], matrix[twin])
        assert matrix[row, twin] == 0


@pytest.mark.parametrize("block_values", [1, 500, 1 << 24])
def test_a_graph_does_not_depend_on_its_blocks(block_values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings = clustered(120, dimension=37)
    whole = radius_graph(embeddings, 0.2)
    monkeypatch.setattr(neighbours, "_BLOCK_VALUES", block_values)
    monkeypatch.setattr(distances_module, "_VALUES_AT_ONCE", 11)
    assert_equal(radius_graph(embeddings, 0.2), whole)


def test_a_pair_at_exactly_the_radius_is_within_it() -> None:
    graph = radius_graph(lattice(40), 2 * STEP)
    assert (graph.distances == 2 * STEP).any()
    assert (radius_graph(lattice(40), np.nextafter(2 * STEP, 0)).distances < 2 * STEP).all()


def test_opposite_rows_are_neighbours_at_the_largest_radius_only() -> None:
    embeddings = np.array([[1, 0], [-1, 0]], np.float32)
    assert len(radius_graph(embeddings, 1.99).rows) == 2
    assert len(radius_graph(embeddings, 2).rows) == 4


def test_no_rows_make_an_empty_graph() -> None:
    graph = radius_graph(np.empty((0, 4), np.float32), 1)
    assert len(graph) == 0
    assert len(graph.rows) == len(graph.distances) == 0


@pytest.mark.parametrize("block_values", [1, 1 << 24])
def test_more_pairs_than_the_limit_are_refused(block_values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_BLOCK_VALUES", block_values)
    embeddings = scattered(10)
    assert len(radius_graph(embeddings, 2, max_pairs=10 * 10).rows) == 10 * 10
    with pytest.raises(LimitExceeded, match="expected at most 99 pairs"):
        radius_graph(embeddings, 2, max_pairs=10 * 10 - 1)


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("radius", [0.0, 0.01, 0.3])
def test_a_smaller_radius_gives_the_smaller_graph(make: Make, radius: float) -> None:
    embeddings = make(70)
    assert_equal(radius_graph(embeddings, 0.3).within(radius), radius_graph(embeddings, radius))


def test_a_radius_beyond_the_graphs_own_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at most 0\.2, got 0\.3"):
        radius_graph(scattered(5), 0.2).within(0.3)


@pytest.mark.parametrize("make", MAKES)
def test_the_graph_of_some_rows_is_that_of_their_embeddings(make: Make) -> None:
    embeddings = make(70)
    rows = np.random.default_rng(0).permutation(70)[:31]
    assert_equal(radius_graph(embeddings, 0.4).select(rows), radius_graph(embeddings[rows], 0.4))


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("new", [0, 1, 25])
def test_a_graph_with_more_rows_is_that_of_all_rows(make: Make, new: int) -> None:
    embeddings = make(70)
    assert_equal(radius_graph(embeddings[: 70 - new], 0.4).extended(embeddings), radius_graph(embeddings, 0.4))


def test_more_rows_with_too_many_pairs_are_refused() -> None:
    embeddings = scattered(10)
    graph = radius_graph(embeddings[:9], 2)
    assert len(graph.extended(embeddings, max_pairs=100).rows) == 100
    with pytest.raises(LimitExceeded):
        graph.extended(embeddings, max_pairs=99)
