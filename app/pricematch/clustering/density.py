"""Density clusters of a neighbour graph: DBSCAN, and OPTICS with the clusters of its ordering.

Ester, Kriegel, Sander, Xu: A Density-Based Algorithm for Discovering Clusters in Large Spatial Databases with Noise,
KDD 1996. Ankerst, Breunig, Kriegel, Sander: OPTICS: Ordering Points To Identify the Clustering Structure, SIGMOD 1999.
Labels are those of `sklearn.cluster.DBSCAN(eps, min_samples, metric="cosine")`, results of OPTICS those of
`sklearn.cluster.OPTICS(min_samples, max_eps, metric="cosine")`.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.search.candidates import NOISE
from pricematch.search.neighbours import NeighbourGraph

_NOBODY = -1
_MANY = 48
_REACHED = -1.0  # below every distance, so that nothing improves on it


def dbscan(graph: NeighbourGraph, min_samples: int) -> NDArray[np.intp]:
    """Cluster labels from the pairs within eps.

    A row with at least `min_samples` neighbours (itself included) is core; core rows within eps of each other share a
    cluster; any other row within eps of a core row joins the lowest-numbered such cluster; the rest is noise.

    Args:
        graph: all pairs within eps, symmetric.
        min_samples: at least 1.

    Returns:
        intp [n]: clusters from 0, numbered by their first core row; −1 is noise.
    """
    core = np.diff(graph.starts) >= min_samples
    line = graph.lines()
    labels = np.full(len(graph), NOISE, np.intp)
    labels[core] = _core_labels(core, line, graph.rows)
    border = ~core[line] & core[graph.rows]
    joined = np.full(len(graph), np.iinfo(np.intp).max)
    np.minimum.at(joined, line[border], labels[graph.rows[border]])
    reached = joined < np.iinfo(np.intp).max
    labels[reached] = joined[reached]
    return labels


@dataclass(frozen=True, eq=False)
class Ordering:
    """Rows in the order in which OPTICS reaches them.

    Attributes:
        order: intp [n], rows.
        reachability: float64 [n] by row, the distance at which it was reached; infinite where a new walk began.
        core_distances: float64 [n] by row, distance to the `min_samples`-th neighbour, itself being the first;
            infinite beyond the radius.
        predecessors: intp [n] by row, the row it was reached from, −1 where a new walk began.
    """

    order: NDArray[np.intp]
    reachability: NDArray[np.float64]
    core_distances: NDArray[np.float64]
    predecessors: NDArray[np.intp]


def optics(graph: NeighbourGraph, min_samples: int) -> Ordering:
    """Walk from row to row, always on to the one at the smallest reachability, the lower row on a tie.

    Nothing is reached from beyond the radius, so a walk never leaves its connected component; where it ends, the next
    begins at the lowest row not yet reached.

    Where scikit-learn refuses, the definition is followed: with `min_samples` 1 every row is core at distance 0, and
    with more than there are rows none is.

    Args:
        graph: all pairs within max_eps.
        min_samples: at least 1.
    """
    core = _core_distances(graph, min_samples)
    walk = _Walk(graph, core)
    for row in range(len(graph)):
        walk.begin(row)
    reachability = np.array(walk.reached_at, np.float64)
    return Ordering(np.array(walk.order, np.intp), reachability, core, np.array(walk.predecessors, np.intp))


def xi_labels(ordering: Ordering, min_samples: int) -> NDArray[np.intp]:
    """Label the smallest clusters that do not overlap, by the steepness of their edges (ξ = 0.05).

    Those of `sklearn.cluster.cluster_optics_xi`. It takes a `min_samples` of 2 or more, so a slope may rest for two
    rows with 1 as well; and it refuses fewer rows than `min_samples`, of which none is in a cluster.

    Args:
        ordering: of n rows.
        min_samples: as given to `optics`; also the smallest size of a cluster.

    Returns:
        intp [n]: clusters from 0 in the order of the walk, −1 is noise.
    """
    from sklearn.cluster import cluster_optics_xi  # takes seconds to import

    if len(ordering.order) < max(2, min_samples):
        return np.full(len(ordering.order), NOISE, np.intp)
    with np.errstate(divide="ignore"):  # at equal rows the reachability is 0
        labels: NDArray[np.intp] = cluster_optics_xi(
            reachability=ordering.reachability,
            predecessor=ordering.predecessors,
            ordering=ordering.order,
            min_samples=max(2, min_samples),
        )[0]
    return labels


def _core_labels(core: NDArray[np.bool_], line: NDArray[np.int32], rows: NDArray[np.int32]) -> NDArray[np.intp]:
    """Labels of the core rows in order: connected components, numbered by their first row."""
    from scipy.sparse.csgraph import connected_components  # takes long to import

    position = np.cumsum(core, dtype=np.int32) - 1
    edges = core[line] & core[rows]
    size = int(core.sum())
    adjacency = csr_array(
        (np.ones(int(edges.sum()), np.int8), (position[line[edges]], position[rows[edges]])), shape=(size, size)
    )
    _, component = connected_components(adjacency, directed=False)
    _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def _core_distances(graph: NeighbourGraph, min_samples: int) -> NDArray[np.float64]:
    core = np.full(len(graph), np.inf)
    enough = np.diff(graph.starts) >= min_samples
    core[enough] = graph.distances[graph.starts[:-1][enough] + min_samples - 1]
    return core


class _Walk:
    """The walk over the rows: what was reached, in which order, from where, at which distance."""

    def __init__(self, graph: NeighbourGraph, core: NDArray[np.float64]) -> None:
        self._rows, self._distances = graph.rows, graph.distances
        self._starts: list[int] = graph.starts.tolist()
        self._core: list[float] = core.tolist()
        # plain arrays are fast to read one by one, and NumPy sees the same memory
        self._nearest = array("d", [np.inf]) * len(graph)
        self._nearest_view = np.frombuffer(self._nearest) if len(graph) else np.empty(0)
        self.reached_at = array("d", [np.inf]) * len(graph)
        self.predecessors = array("q", [_NOBODY]) * len(graph)
        self.order: list[int] = []

    def begin(self, row: int) -> None:
        """Walk from `row` as far as it goes, unless it has been reached."""
        if self._nearest[row] == _REACHED:
            return
        waiting = [(np.inf, row)]
        while waiting:
            distance, row = heappop(waiting)
            if self._nearest[row] == _REACHED:
                continue
            self._nearest[row] = _REACHED
            self.reached_at[row] = distance
            self.order.append(row)
            if self._core[row] < np.inf:
                self._approach(row, waiting)

    def _approach(self, row: int, waiting: list[tuple[float, int]]) -> None:
        """Let the neighbours of a core row wait at their distance from it, or its core distance if that is larger."""
        core = self._core[row]
        for neighbour, distance in zip(*self._improvable(row, core), strict=True):
            reachability = max(core, distance)
            if reachability < self._nearest[neighbour]:
                self._nearest[neighbour] = reachability
                self.predecessors[neighbour] = row
                heappush(waiting, (reachability, neighbour))

    def _improvable(self, row: int, core: float) -> tuple[Sequence[int], Sequence[float]]:
        """Neighbours that may be closer from here than from anywhere before, and their distances."""
        span = slice(self._starts[row], self._starts[row + 1])
        rows, distances = self._rows[span], self._distances[span]
        if len(rows) > _MANY:
            improved = np.maximum(distances, core) < self._nearest_view[rows]
            rows, distances = rows[improved], distances[improved]
        return rows.tolist(), distances.tolist()
