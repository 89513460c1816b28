"""Clusters by the name of a method."""

import numpy as np
import pytest

from app.matching.clustering.assignment import Method, cluster
from app.matching.clustering.dbscan import dbscan
from app.matching.clustering.nearest import nearest
from app.matching.neighbours import radius_graph
from tests.matching.vectors import clustered, radius_in_a_gap

EMBEDDINGS = clustered(60)
EPS = radius_in_a_gap(EMBEDDINGS, 0.05)


@pytest.mark.parametrize("min_samples", [1, 2, 4])
def test_dbscan_gives_its_labels_and_their_members_ascending(min_samples: int) -> None:
    assignment = cluster(EMBEDDINGS, "dbscan", EPS, min_samples)
    labels = dbscan(radius_graph(EMBEDDINGS, EPS), min_samples)
    np.testing.assert_array_equal(assignment.labels, labels)
    assert [rows.tolist() for rows in assignment.members] == [
        np.flatnonzero(labels == label).tolist() for label in range(labels.max() + 1)
    ]


def test_nearest_gives_its_own_and_ignores_min_samples() -> None:
    labels, members = nearest(radius_graph(EMBEDDINGS, EPS), EPS)
    for min_samples in (1, 50):
        assignment = cluster(EMBEDDINGS, "nearest", EPS, min_samples)
        np.testing.assert_array_equal(assignment.labels, labels)
        assert [rows.tolist() for rows in assignment.members] == [rows.tolist() for rows in members]


@pytest.mark.parametrize("method", ["dbscan", "nearest"])
def test_all_noise_has_no_members(method: Method) -> None:
    assignment = cluster(np.eye(5, dtype=np.float32), method, 0.5, 2)
    assert assignment.labels.tolist() == [-1] * 5
    assert list(assignment.members) == []


@pytest.mark.parametrize("method", ["dbscan", "nearest"])
def test_nothing_has_no_clusters(method: Method) -> None:
    assignment = cluster(np.empty((0, 4), np.float32), method, 0.5, 2)
    assert len(assignment.labels) == len(assignment.members) == 0
