"""The neighbours of a whole catalogue, found once."""

from threading import Lock

from pricematch.catalogue.embeddings import Embeddings
from pricematch.clustering.assignment import Answer, Method, answer
from pricematch.errors import LimitExceeded
from pricematch.search.neighbours import NeighbourGraph, radius_graph

_KEPT_ANSWERS = 4


class CatalogueGraph:
    """The neighbour graph of a catalogue's embeddings [n, d]: computed when first asked for, and kept.

    A graph serves every smaller radius; a larger one replaces it. Safe to use from several threads: those that ask
    while it is computed wait for it. Keeps the last four answers too, so that their pages are cut from one computation.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings
        self._lock = Lock()
        self._graph: NeighbourGraph | None = None
        self._refused: tuple[float, int] | None = None
        self._answers: dict[tuple[Method, float, int], Answer] = {}

    def within(self, radius: float, max_pairs: int) -> NeighbourGraph:
        """The graph of a radius 0…2; raises LimitExceeded if more pairs than `max_pairs` are within it."""
        with self._lock:
            return self._within(radius, max_pairs)

    def answer(self, method: Method, eps: float, min_samples: int, max_pairs: int) -> Answer:
        """The answer of a method for the whole catalogue; raises LimitExceeded."""
        key = (method, eps, min_samples)
        with self._lock:
            if key not in self._answers:
                found = answer(self._within(eps, max_pairs), method, eps, min_samples)
                if len(self._answers) == _KEPT_ANSWERS:
                    del self._answers[next(iter(self._answers))]
                self._answers[key] = found
            return self._answers[key]

    def _within(self, radius: float, max_pairs: int) -> NeighbourGraph:
        if self._graph is None or radius > self._graph.radius:
            self._graph = self._computed(radius, max_pairs)
        return self._graph.within(radius)

    def _computed(self, radius: float, max_pairs: int) -> NeighbourGraph:
        """The graph, unless one as large has been found too large before, which is told without trying again."""
        if self._refused is not None and radius >= self._refused[0] and max_pairs <= self._refused[1]:
            raise LimitExceeded(f"expected at most {max_pairs} pairs within distance {radius:g}, got more: lower it")
        try:
            return radius_graph(self._embeddings, radius, max_pairs)
        except LimitExceeded:
            self._refused = radius, max_pairs
            raise
