"""Clusters of a batch of embeddings by a named method."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.matching.clustering.dbscan import dbscan
from app.matching.clustering.nearest import nearest
from app.matching.embeddings import Embeddings
from app.matching.neighbours import MAX_PAIRS, radius_graph

Method: TypeAlias = Literal["dbscan", "nearest"]


@dataclass(frozen=True, eq=False)
class Assignment:
    """Which cluster each item belongs to.

    Attributes:
        labels: intp [n], −1 is noise.
        members: per cluster the items it holds, ascending.
    """

    labels: NDArray[np.intp]
    members: Sequence[NDArray[np.integer]]


def cluster(
    embeddings: Embeddings, method: Method, eps: float, min_samples: int, max_pairs: int = MAX_PAIRS
) -> Assignment:
    """Cluster embeddings [n, d] over cosine distance.

    Args:
        embeddings: [n, d].
        method: `dbscan`, or `nearest` (which takes no min_samples).
        eps: distance within which (`dbscan`) or below which (`nearest`) two items are neighbours, 0…2.
        min_samples: neighbours, itself included, that make an item core.
        max_pairs: see `radius_graph`, which raises LimitExceeded.
    """
    graph = radius_graph(embeddings, eps, max_pairs)
    if method == "nearest":
        return Assignment(*nearest(graph, eps))
    labels = dbscan(graph, min_samples)
    order = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[order], np.arange(labels.max(initial=-1) + 2))
    members = [order[first:last] for first, last in pairwise(bounds)]
    return Assignment(labels, members)
