"""Mean F1, precision and recall at every threshold there is, exactly, and the thresholds of the highest mean F1.

When the threshold of a signal falls, pairs join the lists one after another. Each that joins changes the F1, precision
and recall of its one posting by an amount known from how many it has and how many of them are right. So one pass over
the pairs, from the most similar to the least, adds up the means at every similarity that occurs; nothing is sampled.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pricematch.evaluation.metrics import Scores, group_sizes, scores_of_counts
from pricematch.evaluation.signals import CANDIDATES, HAMMING, IMAGE, MEASURES, Pairs, between, pairs_of
from pricematch.evaluation.splits import each_its_own
from pricematch.pairs.image_retrievers import MAX_DISTANCE
from pricematch.search.candidates import MAX_MEMBERS
from pricematch.search.dense import DenseIndex
from pricematch.search.hamming import similarity_of

ROUNDING = 1e-12
"""By what two means may differ and still be equal."""
_ROUNDS = 20
_LEAST_GROUPS = 2
"""Label groups with something to find, below which a threshold would not fit other groups."""
_DECIMALS = 6
"""A network's cosine of the same two images may be a millionth off in another batch: what is nearer is a tie."""


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
        self._correct = groups[pairs.left] == groups[pairs.right]
        self._orders = {signal: _order(pairs, values) for signal, values in pairs.similarities.items()}

    def of(self, signal: str, queries: NDArray[np.bool_], others: Mapping[str, float] | None = None) -> Curve:
        """The curve of one signal, its means over the `queries`, bool [n], at least one.

        Other signals may have thresholds; their matches are in the lists before, and a list of 50 takes no more.
        """
        before = self.pairs.accepted(others or {})
        hits, answered = self._counts(before & self._correct), self._counts(before)
        start = scores_of_counts(hits, answered, self._sizes).of(queries)
        order = self._orders[signal]
        order = order[queries[self.pairs.left[order]] & ~before[order]]
        left, correct = self.pairs.left[order], self._correct[order]
        first = np.searchsorted(left, left)
        answered = answered[left] + np.arange(1, len(left) + 1) - first
        right_before = np.concatenate([[0], np.cumsum(correct)])
        hits = hits[left] + right_before[1:] - right_before[first]
        fits = answered <= MAX_MEMBERS
        hits, answered, sizes = hits[fits], answered[fits], self._sizes[left[fits]]
        after = scores_of_counts(hits, answered, sizes)
        earlier = scores_of_counts(hits - correct[fits], answered - 1, sizes)
        gains = Scores(after.f1 - earlier.f1, after.precision - earlier.precision, after.recall - earlier.recall)
        return _summed(start, gains, self.pairs.similarities[signal][order[fits]])

    def _counts(self, kept: NDArray[np.bool_]) -> NDArray[np.intp]:
        """How many of some pairs each list holds, and 1 for the posting itself, [n]."""
        counts: NDArray[np.intp] = 1 + np.bincount(self.pairs.left[kept], minlength=self.pairs.postings)
        return counts


def _order(pairs: Pairs, similarities: NDArray[np.float64]) -> NDArray[np.intp]:
    """The pairs a signal proposes, posting by posting, the most similar first, equal ones by row."""
    proposed = np.flatnonzero(similarities > -np.inf)
    order: NDArray[np.intp] = proposed[np.lexsort((-similarities[proposed], pairs.left[proposed]))]
    return order


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


def pick_thresholds(curves: Curves, signals: Sequence[str], queries: NDArray[np.bool_]) -> dict[str, float]:
    """Thresholds by coordinate ascent: one signal's after another's, given the others', until none gains any more.

    Each step is exact (see `Curves`), and the first signal begins alone; that finds the best threshold of one signal,
    and of several a combination that no change of one threshold improves. The mean F1 of `queries`, bool [n], counts.

    Returns:
        A similarity per signal; inf where the signal only does harm.
    """
    thresholds = dict.fromkeys(signals, np.inf)
    reached = -np.inf
    for _ in range(_ROUNDS):
        before = reached
        for signal in signals:
            others = {other: threshold for other, threshold in thresholds.items() if other != signal}
            curve = curves.of(signal, queries, others)
            place = curve.best()
            if curve.f1[place] > reached + ROUNDING:
                reached = float(curve.f1[place])
                thresholds[signal] = between(signal, *curve.around(place))
        if reached == before:
            break
    return thresholds


@dataclass(frozen=True)
class SimilarityThreshold:
    """A cosine, −1…1, and what it was picked on.

    `postings` of `groups` label groups were evaluated, whose lists have `mean_f1` at this threshold, in 0…1; all
    postings of the `catalogue`, a number, were searched.
    """

    threshold: float
    mean_f1: float
    postings: int
    groups: int
    catalogue: int


def enough_groups(groups: NDArray[np.integer], evaluated: NDArray[np.bool_]) -> bool:
    """Whether a threshold can be picked: at least two label groups have two evaluated postings.

    Args:
        groups: [n], the number of each posting's label group, from 0; negative where it has none.
        evaluated: bool [n], whole label groups.
    """
    return int((np.bincount(groups[evaluated]) > 1).sum()) >= _LEAST_GROUPS


def pick_similarity_threshold(
    embeddings: NDArray[np.float32],
    groups: NDArray[np.integer],
    evaluated: NDArray[np.bool_],
    progress: Callable[[int], None],
) -> SimilarityThreshold | None:
    """The threshold at which the lists of the evaluated postings have the highest mean F1 (see `metrics.scores`).

    Every threshold there is is tried (see `Curves`). It lies halfway between two similarities, 1 being above all, so
    that another catalogue's pairs do not fall on its edge. What takes nothing cannot be had where two images are
    equal; then the best of the others is taken. Embeddings [n, d] are of any length. `groups` [n] number the label
    groups from 0; a posting with a negative number is nobody's match. `evaluated` bool [n] are whole groups.

    Returns:
        None where there are too few groups, or an embedding has no direction, so that nothing can be searched.
    """
    directed = np.isfinite(embeddings).all(axis=1) & embeddings.any(axis=1)
    if not (enough_groups(groups, evaluated) and directed.all()):
        return None
    pairs = pairs_of({IMAGE: DenseIndex(embeddings).nearest_others(CANDIDATES, progress)}, len(embeddings))
    pairs = replace(pairs, similarities={IMAGE: np.round(pairs.similarities[IMAGE], _DECIMALS)})
    threshold, mean_f1 = _best(Curves(pairs, each_its_own(groups)).of(IMAGE, evaluated))
    counts = int(evaluated.sum()), len(np.unique(groups[evaluated])), len(embeddings)
    return SimilarityThreshold(threshold, mean_f1, *counts)


def _best(curve: Curve) -> tuple[float, float]:
    """The threshold in −1…1 of the highest F1, the highest of several; and that F1."""
    if curve.similarities[1] >= 1:  # no cosine is above it
        curve = curve.at(curve.similarities[1:])
    taken = np.minimum(curve.similarities, 1)
    left = np.append(taken[1:], max(-1.0, taken[-1] - 10**-_DECIMALS))
    place = curve.best()
    return float(taken[place] + left[place]) / 2, round(float(curve.f1[place]), 9)
