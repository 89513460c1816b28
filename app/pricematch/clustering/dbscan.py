"""DBSCAN over a neighbour graph.

Ester, Kriegel, Sander, Xu: A Density-Based Algorithm for Discovering Clusters in Large Spatial Databases with Noise,
KDD 1996. Labels are those of `sklearn.cluster.DBSCAN(eps, min_samples, metric="cosine")`.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from pricematch.search.candidates import NOISE
from pricematch.search.neighbours import NeighbourGraph


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


def _core_labels(core: NDArray[np.bool_], line: NDArray[np.int32], rows: NDArray[np.int32]) -> NDArray[np.intp]:
    """Labels of the core rows in order: connected components, numbered by their first row."""
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
