"""Mean F1, precision and recall at every threshold there is, exactly.

When the threshold of a signal falls, pairs join the lists one after another. Each that joins changes the F1, precision
and recall of its one posting by an amount known from how many it has and how many of them are right. So one pass over
the pairs, from the most similar to the least, adds up the means at every similarity that occurs; nothing is sampled.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.evaluation.metrics import Scores, group_sizes, scores_of_counts
from pricematch.evaluation.pairs import Pairs
from pricematch.evaluation.signals import HAMMING, MEASURES
from pricematch.pairs.retrievers import MAX_DISTANCE
from pricematch.search.hamming import similarity_of
from pricematch.search.lists import MAX_MEMBERS

ROUNDING = 1e-12
"""By what two means may differ and still be equal."""


@dataclass(frozen=True, eq=False)
class Curve:
    """Means over postings at each threshold of one signal.

    Attributes:
        similarities: float64 [m], descending: inf, where no pair has joined, then every similarity that occurs.
        f1, precision, recall: float64 [m], of lists that hold the pairs at least as similar.
    """

    similarities: NDArray[np.float64]
    f1: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.similarities)

    def at(self, thresholds: NDArray[np.float64]) -> "Curve":
        """The curve at some thresholds, descending, which it then holds as its similarities."""
        places = np.searchsorted(-self.similarities, -thresholds, side="right") - 1
        return Curve(thresholds, self.f1[places], self.precision[places], self.recall[places])

    def sample(self, count: int) -> "Curve":
        """At most `count` ≥ 4 places: half of them evenly spread over the similarities, half over the places.

        Where inf is the only similarity, there is nothing to spread and the sample is empty.
        """
        found = self.similarities[1:]
        if not len(found):
            return self.at(found)
        even = np.linspace(found[0], found[-1], count // 2)
        placed = found[np.linspace(0, len(found) - 1, count - count // 2).round().astype(np.intp)]
        return self.at(np.unique(np.concatenate([even, placed]))[::-1])

    def best(self) -> int:
        """The place of the highest F1; of those that differ by rounding only, the highest similarity."""
        return int(np.argmax(self.f1 >= self.f1.max() - ROUNDING))

    def around(self, place: int) -> tuple[float, float]:
        """The lowest similarity that joins at a place, and the next that does not; the same twice at the last place."""
        return float(self.similarities[place]), float(self.similarities[min(place + 1, len(self) - 1)])


class Curves:
    """The curves of a catalogue's pairs, which are sorted once.

    Args:
        pairs: of n postings.
        groups: [n], the number of each posting's label group.
    """

    def __init__(self, pairs: Pairs, groups: NDArray[np.intp]) -> None:
        self.pairs, self.groups = pairs, groups
        self._sizes = group_sizes(groups)
        self._right = groups[pairs.lines] == groups[pairs.rows]
        self._orders = {signal: _order(pairs, values) for signal, values in pairs.similarities.items()}

    def of(self, signal: str, asked: NDArray[np.bool_], others: Mapping[str, float] | None = None) -> Curve:
        """The curve of one signal.

        Args:
            signal: whose threshold falls.
            asked: bool [n], the postings that the means are over, at least one.
            others: thresholds of other signals, whose matches are in the lists before; a list of 50 takes no more.
        """
        before = self.pairs.accepted(others or {})
        hits, answered = self._counts(before & self._right), self._counts(before)
        start = scores_of_counts(hits, answered, self._sizes).of(asked)
        order = self._orders[signal]
        order = order[asked[self.pairs.lines[order]] & ~before[order]]
        line, right = self.pairs.lines[order], self._right[order]
        first = np.searchsorted(line, line)
        answered = answered[line] + np.arange(1, len(line) + 1) - first
        hits = hits[line] + _running(right, first)
        fits = answered <= MAX_MEMBERS
        joined = order[fits]
        gains = _gains(hits[fits], answered[fits], self._sizes[line[fits]], right[fits])
        return _summed(start, gains, self.pairs.similarities[signal][joined])

    def _counts(self, kept: NDArray[np.bool_]) -> NDArray[np.intp]:
        """How many of some pairs each list holds, and 1 for the posting itself, [n]."""
        counts: NDArray[np.intp] = 1 + np.bincount(self.pairs.lines[kept], minlength=self.pairs.postings)
        return counts


def _order(pairs: Pairs, similarities: NDArray[np.float64]) -> NDArray[np.intp]:
    """The pairs a signal proposes, posting by posting, the most similar first, equal ones by row."""
    proposed = np.flatnonzero(similarities > -np.inf)
    order: NDArray[np.intp] = proposed[np.lexsort((-similarities[proposed], pairs.lines[proposed]))]
    return order


def _running(right: NDArray[np.bool_], first: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many are right up to each pair, itself included, counted from the place `first` of its posting's first."""
    before: NDArray[np.intp] = np.concatenate([[0], np.cumsum(right)])
    return before[1:] - before[first]


def _gains(
    hits: NDArray[np.integer], answered: NDArray[np.integer], sizes: NDArray[np.integer], right: NDArray[np.bool_]
) -> Scores:
    """By how much each pair changes its posting's scores, given the counts with it."""
    after, before = scores_of_counts(hits, answered, sizes), scores_of_counts(hits - right, answered - 1, sizes)
    return Scores(after.f1 - before.f1, after.precision - before.precision, after.recall - before.recall)


def _summed(start: Scores, gains: Scores, similarities: NDArray[np.float64]) -> Curve:
    """The curve from where it starts, each posting's scores, and what each pair adds at its similarity."""
    order = np.argsort(-similarities, kind="stable")
    falling = similarities[order]
    last = np.flatnonzero(np.diff(falling, append=-np.inf) < 0)

    def means(values: NDArray[np.float64], gain: NDArray[np.float64]) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = values.sum() + np.concatenate([[0], np.cumsum(gain[order])[last]])
        return sums / len(values)

    return Curve(
        np.concatenate([[np.inf], falling[last]]),
        means(start.f1, gains.f1),
        means(start.precision, gains.precision),
        means(start.recall, gains.recall),
    )


def shown_curve(signal: str, curve: Curve, count: int) -> Curve:
    """A curve at the thresholds worth showing, `count` at most: of hashes at every distance up to 16 bits."""
    if MEASURES[signal] == HAMMING:
        return curve.at(similarity_of(np.arange(MAX_DISTANCE + 1)))
    return curve.sample(count)
