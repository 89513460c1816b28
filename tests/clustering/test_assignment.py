"""Clusters and lists by the name of a method."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.features import Embeddings
from pricematch.clustering import assignment
from pricematch.clustering.assignment import (
    METHODS,
    Assignment,
    Clustering,
    Method,
    cluster_by_each_method,
    cluster_graph,
    nearest_lists,
)
from pricematch.clustering.density import dbscan, optics, xi_labels
from pricematch.search.candidates import MAX_MEMBERS, lists_of_labels, longest
from pricematch.search.neighbours import NeighbourGraph, radius_graph
from tests.support.vectors import clustered, collinear, duplicated, lattice, matrix_of, scattered

EPS = 0.02
GRAPH = radius_graph(clustered(90), 0.1)


def members(found: Clustering) -> list[list[int]]:
    """The members of each cluster."""
    return [rows.tolist() for rows in found.assignment.members]


@pytest.mark.parametrize("min_samples", [1, 2, 4])
@pytest.mark.parametrize("method", ["dbscan", "optics"])
def test_density_clusters_divide_the_rows_and_a_list_is_its_cluster(method: Method, min_samples: int) -> None:
    near = GRAPH.within(EPS)
    labels = dbscan(near, min_samples) if method == "dbscan" else xi_labels(optics(near, min_samples), min_samples)
    found = cluster_graph(GRAPH, method, EPS, min_samples)
    np.testing.assert_array_equal(found.assignment.labels, labels)
    assert labels.max() > 1
    assert members(found) == [np.flatnonzero(labels == label).tolist() for label in range(labels.max() + 1)]
    assert found.assignment.noise == (labels == -1).sum()
    np.testing.assert_array_equal(found.lists.rows, lists_of_labels(labels).rows)


def test_nearest_joins_rows_with_equal_lists() -> None:
    lists = nearest_lists(GRAPH, EPS)
    for min_samples in (1, 50):
        found = cluster_graph(GRAPH, "nearest", EPS, min_samples)
        np.testing.assert_array_equal(found.lists.rows, lists.rows)
        for row, label in enumerate(found.assignment.labels):
            if len(lists[row]) == 1:
                assert label == -1
            else:
                assert members(found)[label] == sorted(lists[row].tolist())
        assert len({tuple(rows) for rows in members(found)}) == len(members(found))


def test_overlapping_clusters_are_numbered_by_their_first_row() -> None:
    labels = cluster_graph(GRAPH, "nearest", EPS, 2).assignment.labels
    clustered_rows = labels[labels >= 0]
    assert clustered_rows[np.sort(np.unique(clustered_rows, return_index=True)[1])].tolist() == list(
        range(max(labels) + 1)
    )


@pytest.mark.parametrize("min_samples", [1, 2, 4])
def test_ensemble_takes_the_longest_list_of_three(min_samples: int) -> None:
    found = {method: cluster_graph(GRAPH, method, EPS, min_samples) for method in METHODS}
    expected = longest(found["dbscan"].lists, found["nearest"].lists, found["optics"].lists)
    np.testing.assert_array_equal(found["ensemble"].lists.starts, expected.starts)
    np.testing.assert_array_equal(found["ensemble"].lists.rows, expected.rows)


def test_on_a_tie_dbscan_comes_before_nearest_and_nearest_before_optics(monkeypatch: pytest.MonkeyPatch) -> None:
    # by method the label of each of five rows: row 0 ties in all, row 2 in nearest and optics
    labels = {"dbscan": [0, 0, -1, -1, -1], "nearest": [0, -1, 1, 1, 0], "optics": [0, -1, 1, 0, 1]}
    lists = {method: lists_of_labels(np.array(given)) for method, given in labels.items()}

    def fixed(_: NeighbourGraph, method: Method, __: int) -> Clustering:
        return Clustering(Assignment(np.array(labels[method]), []), lists[method])

    monkeypatch.setattr(assignment, "_cluster", fixed)
    ensemble = cluster_by_each_method(GRAPH, EPS, 2)["ensemble"].lists
    assert ensemble[0].tolist() == lists["dbscan"][0].tolist() == [0, 1]
    assert ensemble[2].tolist() == lists["nearest"][2].tolist() == [2, 3]
    assert ensemble[3].tolist() == lists["nearest"][3].tolist() == [3, 2]
    assert ensemble[1].tolist() == [1, 0]


@pytest.mark.parametrize("method", METHODS)
def test_all_methods_at_once_give_what_each_gives_alone(method: Method) -> None:
    at_once, alone = cluster_by_each_method(GRAPH, EPS, 2)[method], cluster_graph(GRAPH, method, EPS, 2)
    np.testing.assert_array_equal(at_once.assignment.labels, alone.assignment.labels)
    np.testing.assert_array_equal(at_once.lists.rows, alone.lists.rows)


@pytest.mark.parametrize("method", METHODS)
def test_all_noise_has_no_members(method: Method) -> None:
    found = cluster_graph(radius_graph(np.eye(5, dtype=np.float32), 0.5), method, 0.5, 2)
    assert found.assignment.labels.tolist() == [-1] * 5
    assert members(found) == []
    assert found.assignment.noise == 5
    assert found.lists.rows.tolist() == list(range(5))


@pytest.mark.parametrize("method", METHODS)
def test_nothing_has_no_clusters(method: Method) -> None:
    found = cluster_graph(radius_graph(np.empty((0, 4), np.float32), 0.5), method, 0.5, 2)
    assert len(found.assignment.labels) == len(found.assignment.members) == len(found.lists) == 0


DIRECTIONS = np.full((5, 4), 0.5, np.float32)
for _place in range(1, 5):
    DIRECTIONS[_place, 4 - _place :] *= -1
"""At distances of 0.5 from one to the next, exactly."""
EVERY_EPS = [round(0.001 * step, 3) for step in range(1, 9)]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=140), st.sampled_from([0.0, 0.4, 0.5, 0.6, 1.0, 1.2, 2.0]))
def test_a_list_is_itself_and_the_nearest_below_eps_fifty_together(chosen: list[int], eps: float) -> None:
    graph = radius_graph(DIRECTIONS[chosen], eps)
    lists, matrix = nearest_lists(graph, eps), abs(np.subtract.outer(chosen, chosen)) / 2
    for row in range(len(chosen)):
        below = [other for other in range(len(chosen)) if other != row and matrix[row, other] < eps]
        below.sort(key=lambda other: (matrix[row, other], other))
        assert lists[row].tolist() == [row, *below[: MAX_MEMBERS - 1]]


def test_a_row_at_exactly_eps_is_no_neighbour() -> None:
    graph = radius_graph(DIRECTIONS[:2], 0.5)
    assert len(graph.rows) == 4
    assert nearest_lists(graph, 0.5).sizes().tolist() == [1, 1]


def test_a_graph_of_a_larger_radius_gives_the_same_lists() -> None:
    embeddings = clustered(80)
    for eps in (0.0, 0.05, 0.2):
        from_larger, own = (
            nearest_lists(radius_graph(embeddings, 0.6), eps),
            nearest_lists(radius_graph(embeddings, eps), eps),
        )
        np.testing.assert_array_equal(from_larger.starts, own.starts)
        np.testing.assert_array_equal(from_larger.rows, own.rows)


def test_no_rows_have_no_lists() -> None:
    assert len(nearest_lists(radius_graph(np.empty((0, 4), np.float32), 0.5), 0.5)) == 0


@pytest.mark.parametrize("count", [1, 2, 3, 120])
@pytest.mark.parametrize("make", [scattered, clustered, duplicated, collinear, lattice])
def test_they_are_those_of_scikit_learn_up_to_ties(make: Callable[..., Embeddings], count: int) -> None:
    """Among equals at the cut, another one may be chosen."""
    from sklearn.neighbors import NearestNeighbors

    embeddings = make(count).astype(np.float64)
    neighbours = NearestNeighbors(n_neighbors=min(50, count), metric="cosine").fit(embeddings)
    distances, rows = neighbours.kneighbors(embeddings)
    graph = radius_graph(make(count), 0.3)
    matrix = matrix_of(graph)
    for eps in [*EVERY_EPS, 0.0301, 0.2999]:
        lists = nearest_lists(graph, eps)
        for row in range(count):
            theirs, ours = set(rows[row, distances[row] < eps].tolist()) | {row}, set(lists[row].tolist())
            assert len(ours) == min(len(theirs), MAX_MEMBERS)
            edge = max((matrix[row, other] for other in ours), default=0)
            assert all(abs(matrix[row, other] - edge) <= 1e-15 for other in ours ^ theirs)
