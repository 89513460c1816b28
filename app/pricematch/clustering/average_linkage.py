"""Average linkage over the probabilities of sparse pairs: clusters merge while all their pairs agree on average.

Sokal, Michener: A Statistical Method for Evaluating Systematic Relationships, 1958. Two clusters A and B are joined in
the order of Σ p(a, b) / (|A| |B|), the highest first; a pair that is not listed counts with probability 0. A chain of
strong edges does not hold together, since the pairs it skips count as well.

Read as correlation clustering (Bansal, Blum, Chawla: Correlation Clustering, 2004), where a partition is worth
Σ (p − t) over the pairs within its clusters: each merge at or above t is worth 0 or more, and when none is left no two
clusters are worth joining whole. It is no global optimum; finding that is NP-hard.
The mean over all pairs of a cluster is that of its merges' averages, weighted by their pairs, so it is at least t.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pricematch.clustering.merging import MergingClusters
from pricematch.search.lists import NOISE

SCALE = 2**30
"""Probabilities are whole multiples of 1 / SCALE, so that their sums do not depend on the order of the pairs."""
_SAME, _DIFFERENT = SCALE * 10**24, -SCALE * 10**12
"""Weights of pairs that somebody decided: no sum of probabilities outweighs either, and the first outweighs the second
where people contradict each other."""


@dataclass(frozen=True, eq=False)
class Linkage:
    """The merges of n postings, highest average first.

    Attributes:
        count: n.
        lines, rows: int32 [k], a posting of either cluster that a merge joins.
        averages: float64 [k], never rising; multiples of probabilities rounded to 2⁻³⁰.
        lowest: the average below which nothing was merged.
    """

    count: int
    lines: NDArray[np.int32]
    rows: NDArray[np.int32]
    averages: NDArray[np.float64]
    lowest: float

    def labels(self, threshold: float) -> NDArray[np.intp]:
        """The clusters that merges of at least this average make; cutting late is stopping early.

        Args:
            threshold: at least `lowest`, up to 1.

        Returns:
            intp [n]: clusters from 0, numbered by their first posting; −1 is a posting alone.
        """
        if threshold < self.lowest:
            raise ValueError(f"expected a threshold of at least {self.lowest}, below which nothing merged: {threshold}")
        merged = self.averages >= fixed(np.array(threshold)) / SCALE
        component = _components(self.count, self.lines[merged], self.rows[merged])
        _, first, number, sizes = np.unique(component, return_index=True, return_inverse=True, return_counts=True)
        shared = np.flatnonzero(sizes > 1)
        labels = np.full(len(sizes), NOISE, np.intp)
        labels[shared[np.argsort(first[shared])]] = np.arange(len(shared))
        return labels[number]


def fixed(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Probabilities as multiples of 2⁻³⁰, the nearest."""
    return np.rint(probabilities * SCALE).astype(np.int64)


def average_linkage(
    lines: NDArray[np.int32],
    rows: NDArray[np.int32],
    probabilities: NDArray[np.float64],
    ranks: NDArray[np.integer],
    lowest: float,
    decided: NDArray[np.int8] | None = None,
) -> Linkage:
    """Merge postings while the average probability of two clusters' pairs is at least `lowest`.

    The partition at any threshold is the same in whatever order postings and pairs are given, and whichever of a pair
    comes first: sums are exact, and of two equal averages the one comes first whose clusters' last postings (by rank)
    come first. Time and memory grow with the pairs among postings that pairs of at least `lowest` connect.

    Args:
        lines: [m], a posting of each pair, and in
        rows: [m] the other; no pair twice, in either direction, none of equal postings.
        probabilities: [m], 0 to 1, that a pair shows the same product.
        ranks: [n], of each posting by something that is its own (its id), each another; they break ties.
        lowest: above 0, up to 1.
        decided: int8 [m], 1 where a pair belongs together whatever the probabilities are, −1 where it does not, else 0;
            None: nowhere.
    """
    if not 0 < lowest <= 1:
        raise ValueError(f"expected the lowest average to merge at above 0, up to 1, got {lowest}")
    weights = fixed(probabilities)
    bar = max(1, int(fixed(np.array(lowest))))
    decided = np.zeros(len(lines), np.int8) if decided is None else decided
    near = (weights >= bar) | (decided > 0)
    component = _components(len(ranks), lines[near], rows[near])
    # a merge needs a pair of at least the average, so clusters never grow across components
    within = component[lines] == component[rows]
    clusters = MergingClusters(ranks.tolist(), bar)
    pairs = (values[within].tolist() for values in (lines, rows, weights, decided))
    for one, other, weight, said in zip(*pairs, strict=True):
        clusters.add(one, other, (weight, _SAME, _DIFFERENT)[said])
    merges = list(clusters.merges())
    ones, others, found = zip(*merges, strict=True) if merges else ((), (), ())
    averages = np.array(found, np.float64) / SCALE
    return Linkage(len(ranks), np.array(ones, np.int32), np.array(others, np.int32), averages, lowest)


def _components(count: int, lines: NDArray[np.int32], rows: NDArray[np.int32]) -> NDArray[np.int32]:
    edges = coo_array((np.ones(len(lines), np.int8), (lines, rows)), shape=(count, count))
    found: NDArray[np.int32] = connected_components(edges, directed=False)[1]
    return found
