"""DBSCAN and OPTICS against scikit-learn's.

Given our distances, scikit-learn's OPTICS must agree to the bit, ties included. Given the embeddings it computes a
distance in two ways, whose last bits may differ: then it may take one row before another that is equally near. So its
walk over embeddings is held against our distances step by step, and where none of them is nearly a tie it must be ours.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.clustering.density import Ordering, dbscan, optics, xi_labels
from pricematch.search.neighbours import NeighbourGraph, radius_graph
from tests.support.vectors import (
    STEP,
    clustered,
    collinear,
    duplicated,
    lattice,
    matrix_of,
    radius_in_a_gap,
    scattered,
)

Make = Callable[..., Embeddings]
EPS = [0.001, 0.004, 0.008]
MAKES = [scattered, clustered, duplicated, collinear, lattice]
ROUNDING = 3e-15
"""By which scikit-learn's distances, rounded to 15 decimals, may differ from ours and among themselves."""
EVERY_EPS = [round(0.001 * step, 3) for step in range(1, 9)]
EDGE: dict[type, float] = {np.float32: 4e-7, np.float64: 2e-15}
"""How near to eps a distance must be for scikit-learn's rounding to decide, by the type it computes in (d = 8)."""

pytestmark = [
    pytest.mark.filterwarnings("ignore:All reachability values are inf"),
    pytest.mark.filterwarnings("ignore:divide by zero"),  # scikit-learn's, where rows are equal
]


def theirs(rows: NDArray[Any], eps: float, min_samples: int, metric: str) -> Any:
    """scikit-learn's OPTICS."""
    from sklearn.cluster import OPTICS

    return OPTICS(min_samples=min_samples, max_eps=eps, metric=metric).fit(rows)


def tight(make: Make) -> Make:
    """Rows of a kind, drawn together so that many are within the notebook's eps."""

    def made(count: int, seed: int = 0) -> Embeddings:
        rows = make(count, seed=seed)
        if make in (collinear, lattice):
            return rows
        near = 0.15 * rows + np.array([1, *[0] * (rows.shape[1] - 1)], np.float32)
        return np.ascontiguousarray(near / np.linalg.norm(near, axis=1, keepdims=True))

    return made


def assert_same(ours: Ordering, min_samples: int, reference: Any) -> None:
    np.testing.assert_array_equal(ours.order, reference.ordering_)
    np.testing.assert_allclose(ours.reachability, reference.reachability_, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(ours.core_distances, reference.core_distances_, rtol=0, atol=ROUNDING)
    np.testing.assert_array_equal(ours.predecessors, reference.predecessor_)
    np.testing.assert_array_equal(xi_labels(ours, min_samples), reference.labels_)


@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("min_samples", [2, 5])
@pytest.mark.parametrize("make", MAKES)
def test_given_our_distances_scikit_learn_agrees_to_the_bit(make: Make, min_samples: int, eps: float) -> None:
    for count in (2, 3, 60):
        if min_samples > count:
            continue
        graph = radius_graph(tight(make)(count), 0.008)
        matrix = matrix_of(radius_graph(tight(make)(count), 2))
        ours = optics(graph.within(eps), min_samples)
        reference = theirs(matrix, eps, min_samples, "precomputed")
        np.testing.assert_array_equal(ours.reachability, reference.reachability_)
        np.testing.assert_array_equal(ours.core_distances, reference.core_distances_)
        assert_same(ours, min_samples, reference)


@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("min_samples", [2, 5])
def test_given_embeddings_whose_products_are_exact_it_agrees_in_every_tie(min_samples: int, eps: float) -> None:
    embeddings = lattice(90)
    ours = optics(radius_graph(embeddings, eps), min_samples)
    finite = ours.reachability[np.isfinite(ours.reachability)]
    assert len(np.unique(finite)) < max(len(finite) / 2, 1)
    assert_same(ours, min_samples, theirs(embeddings, eps, min_samples, "cosine"))


@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("min_samples", [2, 5])
@pytest.mark.parametrize("make", MAKES)
def test_it_walks_as_scikit_learn_up_to_ties(make: Make, min_samples: int, eps: float) -> None:
    for count in (2, 3, 60):
        if min_samples > count:
            continue
        embeddings = tight(make)(count)
        graph = radius_graph(embeddings, eps)
        ours, reference = optics(graph, min_samples), theirs(embeddings, eps, min_samples, "cosine")
        ties = walk_along(graph, ours.core_distances, reference.ordering_)
        if ties == 0 or (ours.order == reference.ordering_).all():
            assert_same(ours, min_samples, reference)


def walk_along(graph: NeighbourGraph, core: NDArray[np.float64], order: NDArray[np.intp]) -> int:
    """Follow an ordering on our distances; every step must lead to a nearest row, up to rounding.

    Returns:
        at how many steps another row was as near, up to rounding, without being reached at exactly the same distance.
    """
    matrix = np.where(matrix_of(graph) <= graph.radius, matrix_of(graph), np.inf)
    reachability, ties = np.full(len(graph), np.inf), 0
    left = set(range(len(graph)))
    for row in order.tolist():
        nearest = min(reachability[other] for other in left)
        assert reachability[row] <= nearest + ROUNDING or reachability[row] == nearest
        left.remove(row)
        ties += any(
            abs(reachability[other] - reachability[row]) <= ROUNDING for other in left if reachability[row] < np.inf
        )
        if core[row] < np.inf:
            reachability = np.minimum(reachability, np.maximum(matrix[row], core[row]))
    return ties


def test_many_walks_of_the_test_above_have_no_ties() -> None:
    free = 0
    for make in (scattered, clustered):
        graph = radius_graph(tight(make)(60), 0.008)
        ours = optics(graph, 2)
        free += walk_along(graph, ours.core_distances, ours.order) == 0
    assert free == 2


@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("make", MAKES)
def test_with_min_samples_one_every_row_is_core_at_distance_zero(make: Make, eps: float) -> None:
    graph = radius_graph(tight(make)(50), eps)
    ours = optics(graph, 1)
    assert (ours.core_distances == 0).all()
    order, reachability = naive_walk(matrix_of(graph), eps)
    assert ours.order.tolist() == order
    np.testing.assert_array_equal(ours.reachability, reachability)


def naive_walk(matrix: NDArray[np.float64], eps: float) -> tuple[list[int], NDArray[np.float64]]:
    """Always on to the nearest row not yet reached, every row being core at distance 0."""
    reachability, order = np.full(len(matrix), np.inf), list[int]()
    while len(order) < len(matrix):
        row = min(set(range(len(matrix))) - set(order), key=lambda row: (reachability[row], row))
        order.append(row)
        for other in range(len(matrix)):
            if other not in order and matrix[row, other] <= eps:
                reachability[other] = min(reachability[other], matrix[row, other])
    return order, reachability


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_with_more_min_samples_than_rows_nothing_is_reached(count: int) -> None:
    ours = optics(radius_graph(np.ones((count, 4), np.float32), 0.5), 4)
    assert ours.order.tolist() == list(range(count))
    assert np.isinf(ours.reachability).all()
    assert np.isinf(ours.core_distances).all()
    assert xi_labels(ours, 4).tolist() == [-1] * count


def test_a_row_with_many_neighbours_is_walked_like_one_with_few() -> None:
    embeddings = tight(scattered)(300)
    graph = radius_graph(embeddings, 0.5)
    assert np.diff(graph.starts).min() > 200
    ours, reference = optics(graph, 4), theirs(matrix_of(graph), 0.5, 4, "precomputed")
    np.testing.assert_array_equal(ours.order, reference.ordering_)
    np.testing.assert_array_equal(ours.reachability, reference.reachability_)
    np.testing.assert_array_equal(ours.predecessors, reference.predecessor_)


def test_two_valleys_are_two_clusters() -> None:
    """What stands alone between them is noise, with each `min_samples` that they are large enough for."""
    reachability = np.array([np.inf, 0.1, 0.1, np.inf, np.inf, 0.1, 0.1])
    ordering = Ordering(np.arange(7), reachability, np.zeros(7), np.array([-1, 0, 0, -1, -1, 4, 4]))
    for min_samples in (1, 2, 3):
        assert xi_labels(ordering, min_samples).tolist() == [0, 0, 0, -1, 1, 1, 1]
    assert xi_labels(ordering, 4).tolist() == xi_labels(ordering, 8).tolist() == [-1] * 7


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_rows_are_noise(count: int) -> None:
    """No rows have no labels, and one alone is in no cluster."""
    assert xi_labels(optics(radius_graph(np.ones((count, 4), np.float32), 0.5), 1), 1).tolist() == [-1] * count


@pytest.mark.parametrize("min_samples", [1, 2, 5])
@pytest.mark.parametrize("count", [1, 2, 3, 40, 150])
@pytest.mark.parametrize("make", [scattered, clustered, duplicated])
def test_labels_of_dbscan_are_those_of_scikit_learn(
    make: Callable[..., Embeddings], count: int, min_samples: int
) -> None:
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
