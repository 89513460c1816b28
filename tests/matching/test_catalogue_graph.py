"""The neighbours of a whole catalogue are found once."""

from threading import Thread

import numpy as np
import pytest

from pricematch.catalogue.features import Embeddings
from pricematch.clustering.assignment import cluster_graph
from pricematch.errors import LimitExceeded
from pricematch.matching import catalogue_graph
from pricematch.matching.catalogue_graph import CatalogueGraph
from pricematch.search.neighbours import NeighbourGraph, radius_graph
from tests.support.vectors import clustered

EMBEDDINGS = clustered(60)
LIMIT = 60 * 60


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The radii of the graphs that were computed."""
    radii: list[float] = []

    def count(embeddings: Embeddings, radius: float, max_pairs: int) -> NeighbourGraph:
        radii.append(radius)
        return radius_graph(embeddings, radius, max_pairs)

    monkeypatch.setattr(catalogue_graph, "radius_graph", count)
    return radii


def test_a_graph_serves_every_smaller_radius(computed: list[float]) -> None:
    """A larger one is computed and takes its place."""
    graph = CatalogueGraph(EMBEDDINGS)
    for radius in (0.1, 0.1, 0.05, 0.3, 0.1, 0.3):
        found, expected = graph.within(radius, LIMIT), radius_graph(EMBEDDINGS, radius)
        np.testing.assert_array_equal(found.starts, expected.starts)
        np.testing.assert_array_equal(found.rows, expected.rows)
    assert computed == [0.1, 0.3]


def test_a_refused_radius_is_not_tried_again(
    computed: list[float],
) -> None:
    """What is there is still served."""
    graph = CatalogueGraph(EMBEDDINGS)
    graph.within(0.1, LIMIT)
    for radius in (1.9, 1.9, 2.0):
        with pytest.raises(LimitExceeded):
            graph.within(radius, LIMIT // 2)
    assert computed == [0.1, 1.9]
    assert len(graph.within(0.05, LIMIT)) == 60
    assert len(graph.within(1.9, LIMIT)) == 60
    assert computed == [0.1, 1.9, 1.9]


def test_the_last_four_results_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that pages are cut from one computation."""
    graph = CatalogueGraph(EMBEDDINGS)
    first = graph.cluster("optics", 0.05, 2, LIMIT)
    expected = cluster_graph(radius_graph(EMBEDDINGS, 0.05), "optics", 0.05, 2)
    np.testing.assert_array_equal(first.assignment.labels, expected.assignment.labels)
    assert graph.cluster("optics", 0.05, 2, LIMIT) is first
    others = [graph.cluster("dbscan", eps, 2, LIMIT) for eps in (0.01, 0.02, 0.03, 0.04)]
    assert graph.cluster("dbscan", 0.04, 2, LIMIT) is others[-1]
    assert graph.cluster("optics", 0.05, 2, LIMIT) is not first


def test_several_threads_wait_for_one_computation(computed: list[float]) -> None:
    """The graph is computed once."""
    graph = CatalogueGraph(EMBEDDINGS)
    threads = [Thread(target=graph.within, args=(0.1, LIMIT)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert computed == [0.1]
