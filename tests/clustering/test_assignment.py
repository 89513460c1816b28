"""Clusters and lists by the name of a method."""

import numpy as np
import pytest

from pricematch.clustering import assignment
from pricematch.clustering.assignment import METHODS, Answer, Assignment, Method, answer, answers
from pricematch.clustering.dbscan import dbscan
from pricematch.clustering.nearest import nearest_lists
from pricematch.clustering.optics import optics, xi_labels
from pricematch.search.lists import lists_of_labels, longest
from pricematch.search.neighbours import NeighbourGraph, radius_graph
from tests.support.vectors import clustered

EPS = 0.02
GRAPH = radius_graph(clustered(90), 0.1)


def members(found: Answer) -> list[list[int]]:
    """The members of each cluster."""
    return [rows.tolist() for rows in found.assignment.members]


@pytest.mark.parametrize("min_samples", [1, 2, 4])
@pytest.mark.parametrize("method", ["dbscan", "optics"])
def test_density_clusters_divide_the_rows_and_a_list_is_its_cluster(method: Method, min_samples: int) -> None:
    near = GRAPH.within(EPS)
    labels = dbscan(near, min_samples) if method == "dbscan" else xi_labels(optics(near, min_samples), min_samples)
    found = answer(GRAPH, method, EPS, min_samples)
    np.testing.assert_array_equal(found.assignment.labels, labels)
    assert labels.max() > 1
    assert members(found) == [np.flatnonzero(labels == label).tolist() for label in range(labels.max() + 1)]
    assert found.assignment.noise == (labels == -1).sum()
    np.testing.assert_array_equal(found.lists.rows, lists_of_labels(labels).rows)


def test_nearest_ignores_min_samples_and_rows_with_equal_lists_share_a_cluster() -> None:
    lists = nearest_lists(GRAPH, EPS)
    for min_samples in (1, 50):
        found = answer(GRAPH, "nearest", EPS, min_samples)
        np.testing.assert_array_equal(found.lists.rows, lists.rows)
        for row, label in enumerate(found.assignment.labels):
            if len(lists[row]) == 1:
                assert label == -1
            else:
                assert members(found)[label] == sorted(lists[row].tolist())
        assert len({tuple(rows) for rows in members(found)}) == len(members(found))


def test_clusters_that_overlap_are_numbered_by_the_first_row_assigned_to_them() -> None:
    labels = answer(GRAPH, "nearest", EPS, 2).assignment.labels
    clustered_rows = labels[labels >= 0]
    assert clustered_rows[np.sort(np.unique(clustered_rows, return_index=True)[1])].tolist() == list(
        range(max(labels) + 1)
    )


@pytest.mark.parametrize("min_samples", [1, 2, 4])
def test_ensemble_takes_the_longest_list_of_dbscan_nearest_and_optics_in_this_order(min_samples: int) -> None:
    found = {method: answer(GRAPH, method, EPS, min_samples) for method in METHODS}
    expected = longest(found["dbscan"].lists, found["nearest"].lists, found["optics"].lists)
    np.testing.assert_array_equal(found["ensemble"].lists.starts, expected.starts)
    np.testing.assert_array_equal(found["ensemble"].lists.rows, expected.rows)


def test_on_a_tie_dbscan_comes_before_nearest_and_nearest_before_optics(monkeypatch: pytest.MonkeyPatch) -> None:
    # by method the label of each of five rows: row 0 ties in all, row 2 in nearest and optics
    labels = {"dbscan": [0, 0, -1, -1, -1], "nearest": [0, -1, 1, 1, 0], "optics": [0, -1, 1, 0, 1]}
    lists = {method: lists_of_labels(np.array(given)) for method, given in labels.items()}

    def fixed(_: NeighbourGraph, method: Method, __: int) -> Answer:
        return Answer(Assignment(np.array(labels[method]), []), lists[method])

    monkeypatch.setattr(assignment, "_answer", fixed)
    ensemble = answers(GRAPH, EPS, 2)["ensemble"].lists
    assert ensemble[0].tolist() == lists["dbscan"][0].tolist() == [0, 1]
    assert ensemble[2].tolist() == lists["nearest"][2].tolist() == [2, 3]
    assert ensemble[3].tolist() == lists["nearest"][3].tolist() == [3, 2]
    assert ensemble[1].tolist() == [1, 0]


@pytest.mark.parametrize("method", METHODS)
def test_all_answers_at_once_are_those_asked_for_one_by_one(method: Method) -> None:
    at_once, alone = answers(GRAPH, EPS, 2)[method], answer(GRAPH, method, EPS, 2)
    np.testing.assert_array_equal(at_once.assignment.labels, alone.assignment.labels)
    np.testing.assert_array_equal(at_once.lists.rows, alone.lists.rows)


@pytest.mark.parametrize("method", METHODS)
def test_all_noise_has_no_members(method: Method) -> None:
    found = answer(radius_graph(np.eye(5, dtype=np.float32), 0.5), method, 0.5, 2)
    assert found.assignment.labels.tolist() == [-1] * 5
    assert members(found) == []
    assert found.assignment.noise == 5
    assert found.lists.rows.tolist() == list(range(5))


@pytest.mark.parametrize("method", METHODS)
def test_nothing_has_no_clusters(method: Method) -> None:
    found = answer(radius_graph(np.empty((0, 4), np.float32), 0.5), method, 0.5, 2)
    assert len(found.assignment.labels) == len(found.assignment.members) == len(found.lists) == 0
