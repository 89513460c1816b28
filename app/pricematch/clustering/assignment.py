"""Clusters and lists of one neighbour graph by a named method."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.clustering.density import dbscan, optics, xi_labels
from pricematch.search.candidates import MAX_MEMBERS, NOISE, Lists, lists_of_labels, longest, prefixes
from pricematch.search.neighbours import NeighbourGraph

Method: TypeAlias = Literal["dbscan", "optics", "nearest", "ensemble"]
METHODS: tuple[Method, ...] = ("dbscan", "optics", "nearest", "ensemble")


@dataclass(frozen=True, eq=False)
class Assignment:
    """Which cluster each item belongs to.

    Attributes:
        labels: intp [n], −1 is noise.
        members: per cluster the items it holds, ascending.
    """

    labels: NDArray[np.intp]
    members: Sequence[NDArray[np.integer]]

    @property
    def noise(self) -> int:
        """How many items belong to no cluster."""
        return int((self.labels == NOISE).sum())


@dataclass(frozen=True, eq=False)
class Clustering:
    """The result of a method: clusters, and the list of each row."""

    assignment: Assignment
    lists: Lists


def cluster_graph(graph: NeighbourGraph, method: Method, eps: float, min_samples: int) -> Clustering:
    """Clusters by one method; see `cluster_by_each_method`."""
    if method == "ensemble":
        return cluster_by_each_method(graph, eps, min_samples)["ensemble"]
    return _cluster(graph.within(eps), method, min_samples)


def cluster_by_each_method(graph: NeighbourGraph, eps: float, min_samples: int) -> dict[Method, Clustering]:
    """Clusters by all methods.

    `dbscan` and `optics` (ξ extraction, max_eps = eps) divide the rows into clusters, and a row's list is its cluster.
    `nearest` gives each row its own list, and `ensemble` the longest of its three lists: that of dbscan on a tie, then
    that of nearest. Then a cluster is what one list holds; lists overlap, so clusters may, and rows whose lists hold
    the same share one.

    Args:
        graph: of radius `eps` or larger.
        eps: cosine distance within which (`nearest`: below which) two rows are neighbours, 0…2.
        min_samples: neighbours, itself included, that make a row core, at least 1; `nearest` takes none.
    """
    near = graph.within(eps)
    found: dict[Method, Clustering] = {
        method: _cluster(near, method, min_samples) for method in METHODS if method != "ensemble"
    }
    ensemble = longest(found["dbscan"].lists, found["nearest"].lists, found["optics"].lists)
    found["ensemble"] = Clustering(_overlapping(ensemble), ensemble)
    return found


def _cluster(graph: NeighbourGraph, method: Method, min_samples: int) -> Clustering:
    if method == "nearest":
        lists = nearest_lists(graph, graph.radius)
        return Clustering(_overlapping(lists), lists)
    labels = dbscan(graph, min_samples) if method == "dbscan" else xi_labels(optics(graph, min_samples), min_samples)
    return Clustering(divided(labels), lists_of_labels(labels))


def nearest_lists(graph: NeighbourGraph, eps: float) -> Lists:
    """Per row itself and the rows closer than `eps`, nearest first: 50 at most, equal distances by ascending row.

    As `sklearn.neighbors.NearestNeighbors(n_neighbors=50, metric="cosine")`: the distance
    must be *below* the threshold, where DBSCAN's may equal it.

    Args:
        graph: of radius `eps` or larger.
        eps: 0…2.
    """
    # neighbours stand by ascending distance, so those below eps come first
    below = np.concatenate([[0], np.cumsum(graph.distances < eps)])
    sizes = np.diff(below[graph.starts])
    return prefixes(graph.starts[:-1], np.clip(sizes, 1, MAX_MEMBERS), graph.rows)


def divided(labels: NDArray[np.intp]) -> Assignment:
    """The clusters of labels [n]: from 0, none empty; −1 is noise."""
    order = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[order], np.arange(labels.max(initial=NOISE) + 2))
    return Assignment(labels, [order[first:last] for first, last in pairwise(bounds)])


def _overlapping(lists: Lists) -> Assignment:
    """Clusters numbered by the first row assigned to them; a list of its own row alone is noise."""
    labels = np.full(len(lists), NOISE, np.intp)
    numbers: dict[bytes, int] = {}
    members: list[NDArray[np.int32]] = []
    for row in np.flatnonzero(lists.sizes() > 1).tolist():
        rows = np.sort(lists[row])
        labels[row] = numbers.setdefault(rows.tobytes(), len(members))
        if labels[row] == len(members):
            members.append(rows)
    return Assignment(labels, members)
