"""Clusters by the probabilities of candidate pairs, of a catalogue and of new postings."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.catalogue.feedback import Feedback
from pricematch.catalogue.postings import Catalogue
from pricematch.catalogue.records import Decision
from pricematch.clustering.average_linkage import PRECISION, CohesiveClusters, cohesive_clusters
from pricematch.matching.index import MatchIndex, QueryPairs
from pricematch.matching.nodes import Nodes, spread
from pricematch.pairs.model import ScoredPairs
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
        count = 0 if new is None else len(new)
        pairs, ranks = self._index.pairs, np.concatenate([self._ranks[rows], len(self._ranks) + np.arange(count)])
        if new is not None:
            ranks[len(rows) :] = len(self._ranks) + np.argsort(np.argsort(new.images))
            pairs = pairs.joined(self._query(new).pairs)
        return self._clustered(rows, count, pairs, ranks, self._feedback, threshold)

    def around(self, rows: NDArray[np.integer], threshold: float) -> tuple[NDArray[np.intp], CohesiveClusters]:
        """The clusters that some postings are in, or could be without being in any other's.

        Clusters never reach beyond what pairs of the threshold or more, and must-links, connect; so those of all
        postings that are connected with the given ones are as they are in the whole catalogue.

        Args:
            rows: of the catalogue.
            threshold: from `LEAST_MEAN` to 1.

        Returns:
            The rows of these postings, ascending, and their clusters, in the order of the rows.
        """
        found = self._connected(rows, threshold)
        every, _ = self._nodes.rows_of(found, self._catalogue.alive)
        ids = self._catalogue.ids_of(every)
        ranks, decisions = np.argsort(np.argsort(np.array(ids, np.str_))), self._feedback_on(ids)
        return every.astype(np.intp), self._clustered(every, 0, self._among(found), ranks, decisions, threshold)

    def within(
        self, rows: NDArray[np.integer]
    ) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
        """The candidate pairs of some postings with each other, and those decided on.

        Thousands of equal postings are millions of pairs; so those of which nothing else was decided are one item, and
        are the same for sure.

        Args:
            rows: [n], of the catalogue, each once.

        Returns:
            The item of each posting, intp [n], from 0 on; of pairs of items both ends, int32 [p], left above right, and
            probabilities, float64 [p], which feedback overrules.
        """
        place = np.full(self._catalogue.span, NOISE, np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        node = self._nodes.of_row[rows]
        decisions = _decisions(self._feedback_on(self._catalogue.ids_of(rows)), self._catalogue, place)
        items = _items(node, self._nodes, decisions)
        item_node = np.empty(items.max(initial=-1) + 1, np.intp)
        item_node[items] = node
        left, right, probabilities = spread(item_node, self._among(np.unique(node).astype(np.intp)), self._nodes)
        of_items = {(int(items[one]), int(items[other])): same for (one, other), same in decisions.items()}
        left, right, probabilities, _ = _overruled(left, right, probabilities, of_items)
        return items, np.maximum(left, right), np.minimum(left, right), probabilities

    def _feedback_on(self, posting_ids: Iterable[str]) -> Iterator[tuple[str, str, Decision]]:
        """The decisions on pairs whose lower id is among some."""
        for one in posting_ids:
            yield from ((one, other, decision) for other, decision in self._feedback.of(one).items() if one < other)

    @cached_property
    def _ranks(self) -> NDArray[np.intp]:
        """The rank of each row by its id, [span]."""
        return np.argsort(np.argsort(self._catalogue.ids_of(range(self._catalogue.span))))

    def _clustered(
        self,
        rows: NDArray[np.integer],
        count: int,
        pairs: ScoredPairs,
        ranks: NDArray[np.integer],
        feedback: Iterable[tuple[str, str, Decision]],
        threshold: float,
    ) -> CohesiveClusters:
        """The clusters of some rows and `count` new postings behind them, by pairs of nodes; ranks break ties."""
        nodes = self._nodes
        place = np.full(self._catalogue.span, NOISE, np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        decisions = _decisions(feedback, self._catalogue, place)
        items = np.arange(len(rows) + count)
        node = np.concatenate([nodes.of_row[rows], len(nodes) + np.arange(count)])
        if threshold <= 1:  # above, nothing is the same for sure
            items = _items(node, nodes, decisions)
        item_node, item_rank = np.empty(items.max(initial=-1) + 1, np.intp), np.full(items.max(initial=-1) + 1, -1)
        item_node[items] = node
        np.maximum.at(item_rank, items, ranks)
        left, right, probabilities = spread(item_node, pairs, nodes)
        of_items = {(int(items[one]), int(items[other])): same for (one, other), same in decisions.items()}
        left, right, probabilities, decided = _overruled(left, right, probabilities, of_items)
        return cohesive_clusters(left, right, probabilities, item_rank, threshold, decided, items)

    def _connected(self, rows: NDArray[np.integer], threshold: float) -> NDArray[np.intp]:
        """The nodes of some rows and all that pairs of the threshold or more, and must-links, connect with them."""
        waiting = np.unique(self._nodes.of_row[rows]).tolist()
        found = set(waiting)
        while waiting:
            node = waiting.pop()
            others, probabilities = self._index.candidates_of(node)
            reached = {*others[probabilities >= threshold - PRECISION].tolist(), *self._linked(node)}
            waiting += reached - found
            found |= reached
        return np.array(sorted(found), np.intp)

    def _linked(self, node: int) -> list[int]:
        """The nodes of postings that are must-linked with one of a node."""
        if not len(self._feedback):
            return []
        rows, _ = self._nodes.rows_of(np.array([node]), self._catalogue.alive)
        decisions = [it for posting_id in self._catalogue.ids_of(rows) for it in self._feedback.of(posting_id).items()]
        linked = self._catalogue.located([other for other, decision in decisions if decision == "same"])
        return [int(it) for it in self._nodes.of_row[list(linked.values())]]

    def _among(self, nodes: NDArray[np.intp]) -> ScoredPairs:
        """The candidate pairs of some nodes with each other."""
        if not len(nodes):
            return ScoredPairs.none()
        parts = [self._index.candidates_of(int(node)) for node in nodes]
        left = np.repeat(nodes, [len(others) for others, _ in parts]).astype(np.int32)
        right = np.concatenate([others for others, _ in parts], dtype=np.int32)
        probabilities = np.concatenate([values for _, values in parts])
        once = (left > right) & np.isin(right, nodes)
        return ScoredPairs(left[once], right[once], probabilities[once], probabilities[once])


def _items(node: NDArray[np.integer], nodes: Nodes, decisions: Mapping[tuple[int, int], bool]) -> NDArray[np.intp]:
    """The item of each of n postings: those of a node are one, but for those that were decided on."""
    alone = node >= len(nodes)
    alone[~alone] = ~nodes.same(node[~alone])
    alone[list({end for ends in decisions for end in ends})] = True
    own = np.where(alone, node.max(initial=0) + 1 + np.arange(len(node)), node)
    return np.unique(own, return_inverse=True)[1].astype(np.intp)


def _decisions(
    feedback: Iterable[tuple[str, str, Decision]], catalogue: Catalogue, place: NDArray[np.int32]
) -> dict[tuple[int, int], bool]:
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
