"""Clusters by the probabilities of candidate pairs, of a catalogue and of new postings."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.catalogue.feedback import Feedback
from pricematch.catalogue.postings import Catalogue
from pricematch.clustering.average_linkage import CohesiveClusters, cohesive_clusters
from pricematch.matching.index import MatchIndex, QueryPairs
from pricematch.matching.nodes import Nodes, spread
from pricematch.search.candidates import NOISE

LEAST_MEAN = 0.01
"""The lowest threshold: below, all postings hang together, and take minutes to do so."""
_KEPT_RESULTS = 4


class ProbabilityClusters:
    """Clusters at any threshold from `LEAST_MEAN` on.

    The last four results for the whole catalogue are kept, so that their pages are cut from one computation.
    Safe to use from several threads: those that come while it is computed wait for it.

    Args:
        catalogue: the postings. Their ids break ties, so that their order does not matter. Among new postings the keys
            of their images do: equal ones are the same image, and it does not matter which of them is which.
        nodes: which posting is of which.
        index: of the nodes.
        feedback: overrules probabilities.
        query: scores new postings, see `ProbabilitySearch.query`.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        nodes: Nodes,
        index: MatchIndex,
        feedback: Feedback,
        query: Callable[[Features], QueryPairs],
    ) -> None:
        self._catalogue, self._nodes, self._index, self._feedback = catalogue, nodes, index, feedback
        self._query = query
        self._ranks = np.argsort(np.argsort(catalogue.ids_of(range(catalogue.span))))
        self._lock = Lock()
        self._all = lru_cache(_KEPT_RESULTS)(lambda threshold: self.among(catalogue.by_id, threshold))

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
        nodes, count = self._nodes, 0 if new is None else len(new)
        place = np.full(self._catalogue.span, NOISE, np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        decisions = _decisions(self._feedback, self._catalogue, place)
        items = np.arange(len(rows) + count)
        node = np.concatenate([nodes.of_row[rows], len(nodes) + np.arange(count)])
        if threshold <= 1:  # above, nothing is the same for sure
            items = _items(node, nodes, decisions)
        pairs, ranks = self._index.pairs, np.concatenate([self._ranks[rows], len(self._ranks) + np.arange(count)])
        if new is not None:
            ranks[len(rows) :] = len(self._ranks) + np.argsort(np.argsort(new.images))
            pairs = pairs.joined(self._query(new).pairs)
        item_node, item_rank = np.empty(items.max(initial=-1) + 1, np.intp), np.full(items.max(initial=-1) + 1, -1)
        item_node[items] = node
        np.maximum.at(item_rank, items, ranks)
        left, right, probabilities = spread(item_node, pairs, nodes)
        of_items = {(int(items[one]), int(items[other])): same for (one, other), same in decisions.items()}
        left, right, probabilities, decided = _overruled(left, right, probabilities, of_items)
        return cohesive_clusters(left, right, probabilities, item_rank, threshold, decided, items)


def _items(node: NDArray[np.integer], nodes: Nodes, decisions: Mapping[tuple[int, int], bool]) -> NDArray[np.intp]:
    """The item of each of n postings: those of a node are one, but for those that were decided on."""
    alone = node >= len(nodes)
    alone[~alone] = ~nodes.same(node[~alone])
    alone[list({end for ends in decisions for end in ends})] = True
    own = np.where(alone, node.max(initial=0) + 1 + np.arange(len(node)), node)
    return np.unique(own, return_inverse=True)[1].astype(np.intp)


def _decisions(feedback: Feedback, catalogue: Catalogue, place: NDArray[np.int32]) -> dict[tuple[int, int], bool]:
    """What was decided on pairs of postings that have a place: whether they are the same."""
    found = {}
    for one, other, decision in feedback:
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
