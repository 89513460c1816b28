"""DBSCAN against scikit-learn's."""

from collections.abc import Callable

import numpy as np
import pytest

from pricematch.catalogue.features import Embeddings
from pricematch.clustering.dbscan import dbscan
from pricematch.search.neighbours import NeighbourGraph, radius_graph
from tests.support.vectors import STEP, clustered, collinear, duplicated, lattice, radius_in_a_gap, scattered

EVERY_EPS = [round(0.001 * step, 3) for step in range(1, 9)]
EDGE: dict[type, float] = {np.float32: 4e-7, np.float64: 2e-15}
"""How near to eps a distance must be for scikit-learn's rounding to decide, by the type it computes in (d = 8)."""


@pytest.mark.parametrize("min_samples", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 2, 3, 40, 150])
@pytest.mark.parametrize("make", [scattered, clustered, duplicated])
def test_labels_are_those_of_scikit_learn(make: Callable[..., Embeddings], count: int, min_samples: int) -> None:
    from sklearn.cluster import DBSCAN

    for seed in range(3):
        embeddings = make(count, seed=seed)
        for share in (0.0, 0.01, 0.05, 0.2):
            radius = radius_in_a_gap(embeddings, share)
            reference = DBSCAN(eps=radius, min_samples=min_samples, metric="cosine").fit_predict(embeddings)
            np.testing.assert_array_equal(dbscan(radius_graph(embeddings, radius), min_samples), reference)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("min_samples", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 3, 150])
@pytest.mark.parametrize("make", [scattered, clustered, duplicated, collinear, lattice])
def test_at_the_notebooks_eps_labels_differ_at_edges_only(
    make: Callable[..., Embeddings], count: int, min_samples: int, dtype: type
) -> None:
    """Only where a distance is within rounding of eps."""
    from sklearn.cluster import DBSCAN

    embeddings = make(count)
    graph = radius_graph(embeddings, 0.0085)
    for eps in EVERY_EPS:
        # scikit-learn computes in the type it is given: in float32 too, sums of lattices are exact
        at_the_edge = (abs(graph.distances - eps) <= EDGE[dtype]).any()
        reference = DBSCAN(eps=eps, min_samples=min_samples, metric="cosine").fit_predict(embeddings.astype(dtype))
        if not at_the_edge:
            np.testing.assert_array_equal(dbscan(graph.within(eps), min_samples), reference)


def test_few_inputs_have_a_distance_at_the_edge() -> None:
    for make in (scattered, clustered, duplicated, collinear, lattice):
        distances = radius_graph(make(150), 0.0085).distances
        free = [eps for eps in EVERY_EPS if not (abs(distances - eps) <= EDGE[np.float32]).any()]
        assert len(free) >= 6


def test_a_row_at_exactly_eps_is_a_neighbour() -> None:
    from sklearn.cluster import DBSCAN

    embeddings = lattice(60)
    for eps in (STEP, 2 * STEP, 4 * STEP):
        graph = radius_graph(embeddings, eps)
        assert (graph.distances == eps).any()
        for dtype in (np.float32, np.float64):
            reference = DBSCAN(eps=eps, min_samples=3, metric="cosine").fit_predict(embeddings.astype(dtype))
            np.testing.assert_array_equal(dbscan(graph, 3), reference)


def graph_of(count: int, edges: list[tuple[int, int]]) -> NeighbourGraph:
    """A graph with these edges in both directions, and every row its own neighbour."""
    near = np.eye(count, dtype=bool)
    for one, other in edges:
        near[one, other] = near[other, one] = True
    starts = np.concatenate([[0], np.cumsum(near.sum(axis=1))]).astype(np.intp)
    rows = np.nonzero(near)[1].astype(np.int32)
    return NeighbourGraph(1.0, starts, rows, np.zeros(len(rows)))


def test_a_border_row_between_two_clusters_joins_the_lower_numbered() -> None:
    # rows 2 and 4 are core with four neighbours each; row 3, with three, is near both
    graph = graph_of(7, [(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (4, 5), (4, 6), (5, 6)])
    assert dbscan(graph, 4).tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_clusters_are_numbered_by_their_first_core_row() -> None:
    """Not by a border row before it."""
    # row 0 is a border row of the triangle 4-5-6, whose first core row comes after that of the triangle 1-2-3
    graph = graph_of(7, [(0, 6), (1, 2), (1, 3), (2, 3), (4, 5), (4, 6), (5, 6)])
    assert dbscan(graph, 3).tolist() == [1, 0, 0, 0, 1, 1, 1]


def test_rows_far_from_everything_are_noise() -> None:
    assert dbscan(graph_of(3, [(0, 1)]), 2).tolist() == [0, 0, -1]


def test_no_rows_get_no_labels() -> None:
    assert dbscan(radius_graph(np.empty((0, 4), np.float32), 0.5), 2).tolist() == []
