"""Average linkage over the probabilities of sparse pairs: clusters merge while all their pairs agree on average.

Sokal, Michener: A Statistical Method for Evaluating Systematic Relationships, 1958. Two clusters A and B are joined in
the order of Σ p(a, b) / (|A| |B|), the highest first; a pair that is not listed counts with probability 0. A chain of
strong edges does not hold together, since the pairs it skips count as well.

Read as correlation clustering (Bansal, Blum, Chawla: Correlation Clustering, 2004), where a partition is worth
Σ (p − t) over the pairs within its clusters: each merge at or above t is worth 0 or more, and when none is left no two
clusters are worth joining whole. It is no global optimum; finding that is NP-hard.
The mean over all pairs of a cluster is that of its merges' averages, weighted by their pairs, so it is at least t.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from pricematch.clustering.assignment import Assignment, divided
from pricematch.search.candidates import NOISE

_SCALE = 2**30
"""Probabilities are whole multiples of 1 / _SCALE, so that their sums do not depend on the order of the pairs."""
PRECISION = 1 / _SCALE
"""Probabilities that differ by less may be taken for equal."""
_SAME, _DIFFERENT = _SCALE * 10**24, -_SCALE * 10**12
"""Weights of must-linked and cannot-linked pairs: no sum of probabilities outweighs either, and the first outweighs the
second where they contradict each other."""
_Entry: TypeAlias = tuple[float, int, int, int, int]
"""−average, lower and higher name of two clusters (these order the queue), and the clusters."""


@dataclass(frozen=True, eq=False)
class Linkage:
    """The merges of n items, highest average first.

    Attributes:
        count: n.
        left, right: int32 [k], an item of either cluster that a merge joins.
        averages: float64 [k], never rising; multiples of probabilities rounded to 2⁻³⁰.
        lowest: the average below which nothing was merged.
    """

    count: int
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    averages: NDArray[np.float64]
    lowest: float

    def labels(self, threshold: float, items: NDArray[np.integer] | None = None) -> NDArray[np.intp]:
        """The clusters that merges of at least this average make; cutting late is stopping early.

        Args:
            threshold: at least `lowest`, up to 1.
            items: [m], the item of each posting; None: each is one.

        Returns:
            intp [m]: clusters from 0, numbered by their first posting; −1 is a posting alone.
        """
        if threshold < self.lowest:
            raise ValueError(f"expected a threshold of at least {self.lowest}, below which nothing merged: {threshold}")
        merged = self.averages >= _fixed(np.array(threshold)) / _SCALE
        component = _components(self.count, self.left[merged], self.right[merged])
        component = component if items is None else component[items]
        _, first, number, sizes = np.unique(component, return_index=True, return_inverse=True, return_counts=True)
        shared = np.flatnonzero(sizes > 1)
        labels = np.full(len(sizes), NOISE, np.intp)
        labels[shared[np.argsort(first[shared])]] = np.arange(len(shared))
        return labels[number]


def _fixed(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Probabilities as multiples of 2⁻³⁰, the nearest."""
    return np.rint(probabilities * _SCALE).astype(np.int64)


def average_linkage(
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    probabilities: NDArray[np.float64],
    ranks: NDArray[np.integer],
    lowest: float,
    decided: NDArray[np.int8] | None = None,
    sizes: NDArray[np.integer] | None = None,
) -> Linkage:
    """Merge postings while the average probability of two clusters' pairs is at least `lowest`.

    The partition at any threshold is the same in whatever order postings and pairs are given, and whichever of a pair
    comes first: sums are exact, and of two equal averages the one comes first whose clusters' last postings (by rank)
    come first. Time and memory grow with the pairs among postings that pairs of at least `lowest` connect.

    Args:
        left: [m], one posting of each pair.
        right: [m], the other one; no pair twice, in either direction, none of equal postings.
        probabilities: [m], 0 to 1, that a pair shows the same product.
        ranks: [n], of each posting by something that is its own (its id), each another; they break ties.
        lowest: above 0, up to 1.
        decided: int8 [m], 1 where a pair is must-linked whatever its probability, −1 where it is cannot-linked, else 0;
            None: nowhere.
        sizes: [n], how many postings that are the same for sure each item is; None: one.
    """
    if not 0 < lowest <= 1:
        raise ValueError(f"expected the lowest average to merge at above 0, up to 1, got {lowest}")
    weights = _fixed(probabilities)
    least = max(1, int(_fixed(np.array(lowest))))
    decided = np.zeros(len(left), np.int8) if decided is None else decided
    near = (weights >= least) | (decided > 0)
    component = _components(len(ranks), left[near], right[near])
    # a merge needs a pair of at least the average, so clusters never grow across components
    within = component[left] == component[right]
    counts = [1] * len(ranks) if sizes is None else sizes.tolist()
    clusters = _MergingClusters(ranks.tolist(), counts, least)
    pairs = (values[within].tolist() for values in (left, right, weights, decided))
    for one, other, weight, decision in zip(*pairs, strict=True):
        clusters.add(one, other, (weight * counts[one] * counts[other], _SAME, _DIFFERENT)[decision])
    merges = list(clusters.merges())
    ones, others, found = zip(*merges, strict=True) if merges else ((), (), ())
    averages = np.array(found, np.float64) / _SCALE
    return Linkage(len(ranks), np.array(ones, np.int32), np.array(others, np.int32), averages, lowest)


def _components(count: int, left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.int32]:
    from scipy.sparse.csgraph import connected_components  # takes long to import

    edges = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(count, count))
    found: NDArray[np.int32] = connected_components(edges, directed=False)[1]
    return found


@dataclass(frozen=True, eq=False)
class CohesiveClusters:
    """Clusters of two postings or more, and their cohesion.

    Attributes:
        assignment: each posting is in one cluster or alone (−1).
        cohesion: float64 [clusters], see `cohesion`; at least the threshold they were found at.
    """

    assignment: Assignment
    cohesion: NDArray[np.float64]


def cohesive_clusters(
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    probabilities: NDArray[np.float64],
    ranks: NDArray[np.integer],
    threshold: float,
    decided: NDArray[np.int8] | None = None,
    items: NDArray[np.integer] | None = None,
) -> CohesiveClusters:
    """Clusters by average linkage at a threshold; see `average_linkage` for the arguments and what holds of ties.

    A threshold above 1, which no probability reaches, leaves every posting alone that has no must-link. Where one item
    is several postings that are the same for sure, `items` [m] is the item of each; pairs and ranks are of items then,
    and clusters of postings.
    """
    decided = np.zeros(len(left), np.int8) if decided is None else decided
    if threshold > 1:
        together = decided > 0
        left, right = left[together], right[together]
        probabilities, decided = probabilities[together], decided[together]
    lowest, sizes = min(threshold, 1), None if items is None else np.bincount(items, minlength=len(ranks))
    labels = average_linkage(left, right, probabilities, ranks, lowest, decided, sizes).labels(lowest, items)
    return CohesiveClusters(divided(labels), cohesion(labels, left, right, probabilities, items))


def cohesion(
    labels: NDArray[np.intp],
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    probabilities: NDArray[np.float64],
    items: NDArray[np.integer] | None = None,
) -> NDArray[np.float64]:
    """The mean probability of all pairs within each cluster; a pair that is not listed counts 0.

    So it is the share of its pairs that a cluster is expected to have right. Sums are exact, to 2⁻³⁰ a pair.

    Args:
        labels: [m], clusters from 0, none empty, each of two postings at least; −1 is a posting alone.
        left: [p], as for `average_linkage`.
        right: [p].
        probabilities: [p].
        items: [m], see `cohesive_clusters`.

    Returns:
        float64 [clusters], 0 to 1.

    >>> left, right, probabilities = np.array([0, 1]), np.array([1, 2]), np.array([0.5, 1.0])
    >>> cohesion(np.array([0, 0, 0]), left, right, probabilities).tolist()
    [0.5]
    """
    items = np.arange(len(labels)) if items is None else items
    counts = np.bincount(items)
    label = np.full(len(counts), NOISE, np.intp)
    label[items] = labels
    inner = (label[left] == label[right]) & (label[left] >= 0)
    postings = np.bincount(labels[labels >= 0]).tolist()
    sums = [0] * len(postings)  # of Python's integers, which do not overflow
    for cluster, count in zip(label.tolist(), counts.tolist(), strict=True):
        if cluster >= 0:
            sums[cluster] += _SCALE * (count * (count - 1) // 2)
    ends = counts[left[inner]], counts[right[inner]]
    columns = label[left[inner]], _fixed(probabilities[inner]), *ends
    for cluster, weight, one, other in zip(*(column.tolist() for column in columns), strict=True):
        sums[cluster] += weight * one * other
    pairs = [count * (count - 1) // 2 for count in postings]
    return np.array([total / (count * _SCALE) for total, count in zip(sums, pairs, strict=True)], np.float64)


@dataclass(slots=True)
class _Link:
    """Two clusters' weight in all, and the one entry of the queue that counts for them, if any."""

    weight: int
    queued: _Entry | None = None


class _MergingClusters:
    """Clusters while they merge, called by one of their items.

    Two clusters merge that have the highest average weight between their items; items without a weight have 0.
    Of equal averages the one comes first whose clusters' last items (by rank) come first.

    The queue is lazy. Whatever merges, the average to a third cluster is between the two there were, and names only
    rise; so an entry may come too early, never too late, and is put back where it belongs when it comes up.

    Args:
        ranks: of each item, each another.
        sizes: how many postings each item is.
        lowest: the average below which nothing merges, above 0.
    """

    def __init__(self, ranks: list[int], sizes: list[int], lowest: int) -> None:
        self._names = ranks  # of a cluster: the highest rank within
        self._sizes = list(sizes)
        self._links: defaultdict[int, dict[int, _Link]] = defaultdict(dict)
        self._queue: list[_Entry] = []
        self._lowest = lowest

    def add(self, one: int, other: int, weight: int) -> None:
        """Set the weight between two items, at most once."""
        link = self._links[one][other] = self._links[other][one] = _Link(weight)
        self._offer(one, other, link)

    def merges(self) -> Iterator[tuple[int, int, float]]:
        """Join clusters, the highest average first; yields the two and their average."""
        while self._queue:
            entry = heappop(self._queue)
            one, other = entry[3:]
            link = self._links[one].get(other) if one in self._links else None
            if link is None or link.queued is not entry:
                continue
            link.queued = None
            if self._entry(one, other, link)[:3] != entry[:3]:
                self._offer(one, other, link)
                continue
            yield one, other, -entry[0]
            self._join(one, other)

    def _entry(self, one: int, other: int, link: _Link) -> _Entry:
        average = link.weight / (self._sizes[one] * self._sizes[other])
        name, second = self._names[one], self._names[other]
        return (-average, name, second, one, other) if name < second else (-average, second, name, one, other)

    def _offer(self, one: int, other: int, link: _Link) -> None:
        entry = self._entry(one, other, link)
        if -entry[0] >= self._lowest and (link.queued is None or entry < link.queued):
            link.queued = entry
            heappush(self._queue, entry)

    def _join(self, one: int, other: int) -> None:
        if len(self._links[one]) < len(self._links[other]):
            one, other = other, one
        kept, absorbed = self._links[one], self._links.pop(other)
        del kept[other], absorbed[one]
        self._sizes[one] += self._sizes[other]
        self._names[one] = max(self._names[one], self._names[other])
        for third, link in absorbed.items():
            links = self._links[third]
            del links[other]
            shared = kept.get(third)
            if shared is None:
                link.queued = None
                shared = kept[third] = links[one] = link
            else:
                shared.weight += link.weight
            self._offer(one, third, shared)
