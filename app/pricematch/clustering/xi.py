"""Clusters of an OPTICS ordering by steepness: the ξ method.

Ankerst, Breunig, Kriegel, Sander: OPTICS, SIGMOD 1999, section 4.3 and figure 19, with the predecessor correction of
Schubert, Gertz: Improving the Cluster Structure Extracted from OPTICS Plots, LWDA 2018, algorithm 2. Labels are those
of `sklearn.cluster.cluster_optics_xi` with its defaults.

The *plot* is the reachability in the order of the walk, with an infinite end. It falls steeply into a cluster and
rises steeply out of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from pricematch.clustering.optics import Ordering
from pricematch.search.lists import NOISE

XI = 0.05


def xi_labels(ordering: Ordering, min_samples: int, xi: float = XI) -> NDArray[np.intp]:
    """Label the smallest clusters that do not overlap, in the order in which they end.

    Args:
        ordering: of n rows.
        min_samples: as given to `optics`; also the smallest size of a cluster.
        xi: by which share the plot must fall or rise at least for a slope to be steep, above 0 and below 1.

    Returns:
        intp [n]: clusters from 0, −1 is noise.
    """
    labels = np.full(len(ordering.order), NOISE, np.intp)
    label = 0
    for first, last in _Plot(ordering, min_samples, xi).clusters():
        if (labels[first : last + 1] == NOISE).all():
            labels[first : last + 1] = label
            label += 1
    by_row = np.empty_like(labels)
    by_row[ordering.order] = labels
    return by_row


@dataclass(slots=True)
class _Descent:
    """A steep way down from position `first`; behind it the plot has risen to `highest`."""

    first: int
    highest: float = 0.0


class _Plot:
    """The plot, and which of its positions slope how."""

    def __init__(self, ordering: Ordering, min_samples: int, xi: float) -> None:
        heights = np.append(ordering.reachability[ordering.order], np.inf)
        with np.errstate(invalid="ignore", divide="ignore"):  # ∞/∞ and 0/0 slope nowhere, x/0 falls
            ratio = heights[:-1] / heights[1:]
        self._flatter = 1 - xi
        rising, falling = ratio <= self._flatter, ratio >= 1 / self._flatter
        self._steep: list[int] = np.flatnonzero(rising | falling).tolist()
        self._rises: list[bool] = rising.tolist()
        self._falls: list[bool] = falling.tolist()
        self._up: list[bool] = (ratio < 1).tolist()
        self._down: list[bool] = (ratio > 1).tolist()
        self._heights: list[float] = heights.tolist()
        self._predecessors: list[int] = self._places_of_predecessors(ordering)
        self._min_samples = min_samples

    @staticmethod
    def _places_of_predecessors(ordering: Ordering) -> list[int]:
        """Per position the position of its predecessor, −1 where there is none."""
        place = np.empty(len(ordering.order) + 1, np.intp)
        place[ordering.order] = np.arange(len(ordering.order))
        place[-1] = -1
        places: list[int] = place[ordering.predecessors[ordering.order]].tolist()
        return places

    def clusters(self) -> Iterator[tuple[int, int]]:
        """First and last position of each cluster, smaller ones before those that hold them."""
        descents: list[_Descent] = []
        at, highest = 0, 0.0
        for steep in self._steep:
            if steep < at:
                continue
            highest = max(highest, *self._heights[at : steep + 1])
            descents = self._still_open(descents, highest)
            if self._falls[steep]:
                last = self._extent(steep, self._falls, self._up)
                descents.append(_Descent(steep))
            else:
                last = self._extent(steep, self._rises, self._down)
                yield from chain(*(self._between(descent, last) for descent in reversed(descents)))
            at = last + 1
            highest = self._heights[at]

    def _still_open(self, descents: Sequence[_Descent], highest: float) -> list[_Descent]:
        """Descents that begin above everything that has come since."""
        if highest == np.inf:
            return []
        kept = [descent for descent in descents if highest <= self._heights[descent.first] * self._flatter]
        for descent in kept:
            descent.highest = max(descent.highest, highest)
        return kept

    def _extent(self, first: int, steep: Sequence[bool], against: Sequence[bool]) -> int:
        """Where a steep slope ends: it may rest for `min_samples` positions, but never go against its direction."""
        last, resting = first, 0
        for at in range(first, len(steep)):
            if steep[at]:
                last, resting = at, 0
            elif against[at]:
                break
            else:
                resting += 1
                if resting > self._min_samples:
                    break
        return last

    def _between(self, descent: _Descent, end: int) -> Iterator[tuple[int, int]]:
        """The cluster between a descent and the rise that ends at `end`, if there is one.

        All that lies between is lower, by the share ξ, than the top of the descent and than what comes after the end;
        so neither loop below leaves its slope, nor does `_last_led_to`.
        """
        heights, after = self._heights, self._heights[end + 1]
        if after * self._flatter < descent.highest:
            return
        first, last, top = descent.first, end, heights[descent.first]
        if top * self._flatter >= after:  # begin where the descent is down to the level of the end
            while heights[first + 1] > after:
                first += 1
        elif after * self._flatter >= top:  # end where the rise is up to the level of the beginning
            while heights[last - 1] > top:
                last -= 1
        last = self._last_led_to(first, last)
        if last - first + 1 >= self._min_samples:
            yield first, last

    def _last_led_to(self, first: int, last: int) -> int:
        """The last position that is lower than the first, or was reached from inside the cluster; `first` if none."""
        while first < last:
            if self._heights[first] > self._heights[last] or first <= self._predecessors[last] < last:
                return last
            last -= 1
        return first
