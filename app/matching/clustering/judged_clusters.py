"""Clusters of a judged catalogue, or of some of its postings, by the probabilities of their pairs."""

from threading import Lock

import numpy as np
from numpy.typing import NDArray

from app.matching.clustering.assignment import divided
from app.matching.clustering.cohesion import CohesiveClusters, cohesive_clusters
from app.matching.clustering.lists import NOISE
from app.matching.pair_model import JudgedCatalogue

LEAST_MEAN = 0.01
"""The lowest threshold: below, all postings hang together, and take minutes to do so."""
_KEPT_ANSWERS = 4


class JudgedClusters:
    """Clusters at any threshold from `LEAST_MEAN` on.

    The last four answers for the whole catalogue are kept, so that their pages are cut from one computation.
    Safe to use from several threads: those that ask while it is computed wait for it.

    Args:
        judged: n postings.
        posting_ids: theirs; they break ties, so that the order of the catalogue does not matter.
    """

    def __init__(self, judged: JudgedCatalogue, posting_ids: NDArray[np.str_]) -> None:
        self._judged = judged
        self._ranks = np.argsort(np.argsort(posting_ids))
        self._lock = Lock()
        self._answers: dict[float, CohesiveClusters] = {}

    def all(self, threshold: float) -> CohesiveClusters:
        """The clusters of the whole catalogue; above 1 nothing belongs together."""
        with self._lock:
            if threshold not in self._answers:
                found = self._found(np.arange(len(self._judged)), threshold)
                if len(self._answers) == _KEPT_ANSWERS:
                    del self._answers[next(iter(self._answers))]
                self._answers[threshold] = found
            return self._answers[threshold]

    def among(self, rows: NDArray[np.intp], threshold: float) -> CohesiveClusters:
        """The clusters of some rows of the catalogue, each once; labels are in the order given."""
        return self._found(rows, threshold)

    def _found(self, rows: NDArray[np.intp], threshold: float) -> CohesiveClusters:
        if threshold > 1:
            return CohesiveClusters(divided(np.full(len(rows), NOISE, np.intp)), np.empty(0))
        place = np.full(len(self._judged), NOISE, np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        lines, others = place[self._judged.lines], place[self._judged.rows]
        within = (lines != NOISE) & (others != NOISE)
        return cohesive_clusters(
            lines[within], others[within], self._judged.probabilities[within], self._ranks[rows], threshold
        )
