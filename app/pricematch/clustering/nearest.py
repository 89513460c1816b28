"""The notebook's nearest neighbours: every posting is answered with those closer than a threshold, 50 at most."""

import numpy as np

from pricematch.search.lists import MAX_MEMBERS, Lists, prefixes
from pricematch.search.neighbours import NeighbourGraph


def nearest_lists(graph: NeighbourGraph, eps: float) -> Lists:
    """Per row itself and the rows closer than `eps`, nearest first: 50 at most, equal distances by ascending row.

    What the notebook takes from `sklearn.neighbors.NearestNeighbors(n_neighbors=50, metric="cosine")`: the distance
    must be *below* the threshold, where DBSCAN's may equal it.

    Args:
        graph: of radius `eps` or larger.
        eps: 0…2.
    """
    # neighbours stand by ascending distance, so those below eps come first
    below = np.concatenate([[0], np.cumsum(graph.distances < eps)])
    sizes = np.diff(below[graph.starts])
    return prefixes(graph.starts[:-1], np.clip(sizes, 1, MAX_MEMBERS), graph.rows)
