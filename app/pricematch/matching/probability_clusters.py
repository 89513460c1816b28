"""Clusters of a catalogue, or of some of its postings and new ones, by the probabilities of their pairs."""

from collections.abc import Mapping
from functools import lru_cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback
from pricematch.catalogue.postings import Catalogue
from pricematch.clustering.average_linkage import CohesiveClusters, cohesive_clusters
from pricematch.matching.index import MatchIndex
from pricematch.pairs.model import ScoredPairs
from pricematch.search.candidates import NOISE

LEAST_MEAN = 0.01
"""The lowest threshold: below, all postings hang together, and take minutes to do so."""
_KEPT_ANSWERS = 4


class ProbabilityClusters:
    """Clusters at any threshold from `LEAST_MEAN` on.

    The last four answers for the whole catalogue are kept, so that their pages are cut from one computation.
    Safe to use from several threads: those that come while it is computed wait for it.

    Args:
        index: of the postings.
        catalogue: the postings. Their ids break ties, so that their order does not matter. Among new postings the keys
            of their images do: equal ones are the same image, and it does not matter which of them is which.
        verdicts: people's decisions on pairs, which overrule probabilities.
    """

    def __init__(self, index: MatchIndex, catalogue: Catalogue, verdicts: Feedback = NO_FEEDBACK) -> None:
        self._index, self._catalogue, self._verdicts = index, catalogue, verdicts
        self._ranks = np.argsort(np.argsort([catalogue[row].posting_id for row in range(catalogue.span)]))
        self._lock = Lock()
        self._all = lru_cache(_KEPT_ANSWERS)(lambda threshold: self.among(catalogue.by_id, threshold))

    def all(self, threshold: float) -> CohesiveClusters:
        """The clusters of the whole catalogue, in the order of its ids; above 1 nothing belongs together."""
        with self._lock:
            return self._all(threshold)

    def among(self, rows: NDArray[np.intp], threshold: float, new: Features | None = None) -> CohesiveClusters:
        """The clusters of some postings of the catalogue, and of new ones.

        Args:
            rows: of the catalogue, each once.
            threshold: as for `all`.
            new: features of m new postings; None where there are none.

        Returns:
            Labels in the order of the rows, those of new postings behind them.
        """
        span, count = self._index.span, 0 if new is None else len(new)
        places = np.concatenate([rows, span + np.arange(count)])
        place = np.full(span + count, NOISE, np.int32)
        place[places] = np.arange(len(places), dtype=np.int32)
        pairs, ranks = self._index.pairs, self._ranks[rows]
        if new is not None:
            pairs = pairs.joined(self._index.query(new).pairs)
            ranks = np.concatenate([ranks, span + np.argsort(np.argsort(new.images))])
        left, right, probabilities = _within(place, pairs)
        decisions = _decisions(self._verdicts, self._catalogue, place)
        left, right, probabilities, decided = _overruled(left, right, probabilities, decisions)
        return cohesive_clusters(left, right, probabilities, ranks, threshold, decided)


def _within(
    place: NDArray[np.int32], pairs: ScoredPairs
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """The pairs of which both ends have a place among what is clustered, by their places, and their probabilities."""
    left, right = place[pairs.left], place[pairs.right]
    within = (left != NOISE) & (right != NOISE)
    return left[within], right[within], pairs.probabilities[within]


def _decisions(verdicts: Feedback, catalogue: Catalogue, place: NDArray[np.int32]) -> dict[tuple[int, int], bool]:
    """What was decided on pairs of postings that have a place: whether they are the same."""
    found = {}
    for one, other, decision in verdicts:
        ends = sorted(int(place[row]) for row in catalogue.located([one, other]).values())
        if len(ends) == 2 and ends[0] != NOISE:
            found[ends[0], ends[1]] = decision == "same"
    return found


def _keys(left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.int64]:
    """Equal for the same two ends, whichever comes first."""
    return np.minimum(left, right).astype(np.int64) << 32 | np.maximum(left, right)


def _overruled(
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    probabilities: NDArray[np.float64],
    decisions: Mapping[tuple[int, int], bool],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64], NDArray[np.int8]]:
    """Pairs, their probabilities, and what was decided on them, see `average_linkage`; decided ones may be new."""
    if not decisions:
        return left, right, probabilities, np.zeros(len(left), np.int8)
    decided = np.array(list(decisions), np.int32)
    free = ~np.isin(_keys(left, right), _keys(decided[:, 0], decided[:, 1]))
    same = np.array(list(decisions.values()), np.bool_)
    return (
        np.concatenate([left[free], decided[:, 0]]),
        np.concatenate([right[free], decided[:, 1]]),
        np.concatenate([probabilities[free], same.astype(np.float64)]),
        np.concatenate([np.zeros(int(free.sum()), np.int8), np.where(same, 1, -1).astype(np.int8)]),
    )
