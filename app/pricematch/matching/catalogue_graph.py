"""The neighbour graph of a catalogue's images, and clusters by it."""

from functools import lru_cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.clustering.assignment import Clustering, Method, cluster_graph
from pricematch.errors import LimitExceeded
from pricematch.search.neighbours import NeighbourGraph, collapsed, radius_graph

_KEPT_RESULTS = 4


class CatalogueGraph:
    """The neighbour graph of embeddings [n, d] of images: computed when it is first needed, and kept.

    In clusters the images of one posting are one node, as near to others as the nearest of them; of images all pairs
    count where too many are within a radius. A graph serves every smaller radius; a larger one replaces it. The last
    four results are kept too, so that their pages are cut from one computation. Safe to use from several threads: those
    that come while it is computed wait.

    Args:
        embeddings: [n, d], no row of zeros.
        owners: [n], the posting that each is of, numbers from 0 without a gap; None: each is of its own.
    """

    def __init__(self, embeddings: Embeddings, owners: NDArray[np.integer] | None = None) -> None:
        self._embeddings, self._owners = embeddings, owners
        self._lock = Lock()
        self._graph: NeighbourGraph | None = None
        self._refused: tuple[float, int] | None = None
        self._cluster = lru_cache(_KEPT_RESULTS)(self._computed_clusters)

    def within(self, radius: float, max_pairs: int) -> NeighbourGraph:
        """The graph of images of a radius 0…2; raises LimitExceeded if more pairs than `max_pairs` are within it."""
        with self._lock:
            return self._within(radius, max_pairs)

    def cluster(self, method: Method, eps: float, min_samples: int, max_pairs: int) -> Clustering:
        """The clusters of all postings by a method; raises LimitExceeded."""
        with self._lock:
            return self._cluster(method, eps, min_samples, max_pairs)

    def _computed_clusters(self, method: Method, eps: float, min_samples: int, max_pairs: int) -> Clustering:
        return cluster_graph(collapsed(self._within(eps, max_pairs), self._owners), method, eps, min_samples)

    def _within(self, radius: float, max_pairs: int) -> NeighbourGraph:
        if self._graph is None or radius > self._graph.radius:
            self._graph = self._computed(radius, max_pairs)
        return self._graph.within(radius)

    def _computed(self, radius: float, max_pairs: int) -> NeighbourGraph:
        """The graph, unless one as large has been found too large before, which is refused without trying again."""
        if self._refused is not None and radius >= self._refused[0] and max_pairs <= self._refused[1]:
            raise LimitExceeded(f"expected at most {max_pairs} pairs within distance {radius:g}, got more: lower it")
        try:
            return radius_graph(self._embeddings, radius, max_pairs)
        except LimitExceeded:
            self._refused = radius, max_pairs
            raise
