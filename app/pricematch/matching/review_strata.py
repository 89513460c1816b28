"""Pairs spread evenly over their log odds, so that feedback on them teaches calibration."""

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

LOWEST = float(np.log(0.05 / 0.95))
"""Log odds of probability 0.05: below are most pairs, and next to none of them is the same product."""
STRATA = 10
_BLOCK, _GROWTH = 512, 8


class Strata:
    """Undecided pairs in `STRATA` strata of equal width in log odds, from `LOWEST` to the highest there are.

    The stratum comes first that was asked about least; of those equally little, the one farthest from all that were
    asked about more, the highest of such. So each beginning of the sequence is spread as evenly as its length allows
    (farthest-first traversal: Gonzalez, Clustering to Minimize the Maximum Intercluster Distance, 1985). Within a
    stratum the pair nearest its middle comes first: chosen by nothing else, it speaks for all that are as probable. Not
    safe to use from several threads.

    Args:
        log_odds: float64 [m], of the pairs.
        first: [m], one end of each pair by rank; ends break ties.
        second: [m], the other; no pair is there twice.
        decided: bool [m], the pairs that a person decided, each of which counts as asked about.
    """

    def __init__(
        self,
        log_odds: NDArray[np.float64],
        first: NDArray[np.integer],
        second: NDArray[np.integer],
        decided: NDArray[np.bool_],
    ) -> None:
        self._width = (log_odds.max(initial=LOWEST) - LOWEST) / STRATA or 1.0
        self._log_odds = log_odds
        self._asked = defaultdict[int, int](int)
        above = np.flatnonzero(log_odds >= LOWEST)
        number = self._number(log_odds[above])
        for asked in number[decided[above]].tolist():
            self._asked[asked] += 1
        away = np.round(np.abs(log_odds[above] - LOWEST - (number + 0.5) * self._width), 9)
        self._queues = dict[int, Iterator[int]]()
        for one in np.unique(number[~decided[above]]).tolist():
            chosen = (number == one) & ~decided[above]
            self._queues[one] = ascending(away[chosen], first, second, above[chosen])

    def next(self, free: Callable[[int], bool]) -> int | None:
        """The place of the next pair, of those that are free; what is not is passed over for good. None: no more."""
        while self._queues:
            number = self._least_asked()
            place = next(filter(free, self._queues[number]), None)
            if place is not None:
                return place
            del self._queues[number]
        return None

    def count(self, place: int) -> None:
        """Note that the pair at a place is asked about, whichever order it was taken from."""
        if self._log_odds[place] >= LOWEST:
            self._asked[int(self._number(self._log_odds[[place]])[0])] += 1

    def _number(self, log_odds: NDArray[np.float64]) -> NDArray[np.intp]:
        return np.minimum((log_odds - LOWEST) / self._width, STRATA - 1).astype(np.intp)

    def _least_asked(self) -> int:
        least = min(self._asked[number] for number in self._queues)
        more = [number for number in range(STRATA) if self._asked[number] > least]
        every = [number for number in self._queues if self._asked[number] == least]
        return max(every, key=lambda number: (min((abs(number - it) for it in more), default=0), number))


def ascending(
    keys: NDArray[np.float64], first: NDArray[np.integer], second: NDArray[np.integer], places: NDArray[np.integer]
) -> Iterator[int]:
    """Some places by ascending keys, equal ones by both ends there; sorts no more than are taken, by growing blocks.

    Args:
        keys: float64 [k], none NaN.
        first: [m], one end at every place.
        second: [m], the other.
        places: [k], below m.
    """
    count = _BLOCK
    while len(places):
        last = min(count, len(places)) - 1
        near = keys <= np.partition(keys, last)[last]
        block = places[near]
        yield from block[np.lexsort((second[block], first[block], keys[near]))].tolist()
        keys, places, count = keys[~near], places[~near], count * _GROWTH
