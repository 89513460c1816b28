"""The threshold at which the clusters of a linkage score best."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.clustering.average_linkage import SCALE, Linkage
from pricematch.evaluation.metrics import group_sizes

_GAP = 2 / SCALE
"""Averages nearer than that are cut together."""


@dataclass(frozen=True)
class Cut:
    """A threshold, and the mean F1 of the judged postings there."""

    threshold: float
    mean_f1: float


def best_cut(linkage: Linkage, groups: NDArray[np.integer], judged: NDArray[np.bool_]) -> Cut:
    """Score the clusters at every threshold there is, exactly: each merge changes what two clusters are worth.

    Args:
        linkage: of n postings.
        groups: [n], the number of each posting's label group, from 0.
        judged: [n], at least one; the others still stand in the clusters and groups of these.

    Returns:
        The cut of the highest mean F1, the highest threshold of several; halfway between two averages, so that another
        catalogue's do not fall on its edge, or the linkage's lowest.
    """
    parts = _Parts(groups, judged)
    bounds = [1.0, *linkage.averages.tolist(), linkage.lowest]
    merges = [(None, None), *zip(linkage.lines.tolist(), linkage.rows.tolist(), strict=True)]
    best = Cut(1.0, -1.0)
    for place, (one, other) in enumerate(merges):
        if one is not None and other is not None:
            parts.join(one, other)
        above, below, last = bounds[place], bounds[place + 1], place == len(merges) - 1
        if (last or above - below > _GAP) and parts.total > best.mean_f1 + 1e-9:
            best = Cut(below if last else (above + below) / 2, parts.total)
    return Cut(best.threshold, best.mean_f1 / int(judged.sum()))


class _Parts:
    """The parts of a partition that merge, and the sum of the judged postings' F1."""

    def __init__(self, groups: NDArray[np.integer], judged: NDArray[np.bool_]) -> None:
        numbers, asked = groups.tolist(), judged.tolist()
        self._part_of = list(range(len(numbers)))
        self._held = [Counter([group]) for group in numbers]
        self._asked = [Counter([group]) if ask else Counter[int]() for group, ask in zip(numbers, asked, strict=True)]
        self._sizes: dict[int, int] = dict(zip(numbers, group_sizes(groups).tolist(), strict=True))
        self.total = sum(map(self._worth, range(len(numbers))))

    def join(self, one: int, other: int) -> None:
        """Merge the parts of two postings."""
        one, other = self._find(one), self._find(other)
        if len(self._held[one]) < len(self._held[other]):
            one, other = other, one
        before = self._worth(one) + self._worth(other)
        self._part_of[other] = one
        for counts in (self._held, self._asked):
            counts[one].update(counts[other])
            counts[other].clear()
        self.total += self._worth(one) - before

    def _find(self, row: int) -> int:
        while self._part_of[row] != row:
            self._part_of[row] = row = self._part_of[self._part_of[row]]
        return row

    def _worth(self, part: int) -> float:
        held, size = self._held[part], self._held[part].total()
        # tp + ½ (fp + fn) = ½ (size of the part + size of the group)
        shares = (asked * 2 * held[group] / (size + self._sizes[group]) for group, asked in self._asked[part].items())
        return sum(shares, 0.0)
