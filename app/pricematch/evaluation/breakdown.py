"""Where the scores come from: group sizes, groups, and the mistakes that the signals are surest of."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.evaluation.metrics import Scores, group_sizes
from pricematch.evaluation.signals import Pairs

_SMALLEST = (1, 2, 3, 4, 5, 10, 20, 51)
"""The smallest group of each class of sizes; 50 is the longest list."""


@dataclass(frozen=True, slots=True)
class SizeClass:
    """Mean scores of the postings whose group has from `smallest` to `largest` postings (None: or more)."""

    smallest: int
    largest: int | None
    groups: int
    postings: int
    f1: float
    precision: float
    recall: float


@dataclass(frozen=True, eq=False)
class ScoredGroup:
    """A label group: its number, its postings' rows, their mean F1."""

    group: int
    rows: NDArray[np.intp]
    f1: float


@dataclass(frozen=True, slots=True)
class Mistake:
    """A match of two postings that are not of one group.

    Attributes:
        first, second: their rows, first < second.
        similarities: by each signal that proposes it.
        right_share: which share of the pairs that are as similar is right, by the signal that is surest.
    """

    first: int
    second: int
    similarities: Mapping[str, float]
    right_share: float


def by_group_size(scored: Scores, groups: NDArray[np.integer]) -> list[SizeClass]:
    """The classes of group sizes that occur: 1, 2, 3, 4, 5–9, 10–19, 20–50, 51 and more."""
    sizes = group_sizes(groups)
    classes = np.searchsorted(_SMALLEST, sizes, side="right") - 1
    found = []
    for number in np.unique(classes):
        inside = classes == number
        part = scored.of(inside)
        largest = _SMALLEST[number + 1] - 1 if number + 1 < len(_SMALLEST) else None
        count, postings = len(np.unique(groups[inside])), int(inside.sum())
        means = part.mean_f1, part.mean_precision, part.mean_recall
        found.append(SizeClass(_SMALLEST[number], largest, count, postings, *means))
    return found


def worst_groups(scored: Scores, groups: NDArray[np.integer], count: int) -> list[ScoredGroup]:
    """The groups of the lowest mean F1, the worst first; of equal ones the larger."""
    return _ranked(scored, groups, best=False)[:count]


def best_groups(scored: Scores, groups: NDArray[np.integer], count: int) -> list[ScoredGroup]:
    """The groups of two postings or more of the highest mean F1, the best first; of equal ones the larger."""
    return [group for group in _ranked(scored, groups, best=True) if len(group.rows) > 1][:count]


def right_shares(similarities: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Which share of pairs about as similar is right, [m]: the isotonic regression of `right` on the similarity.

    It never falls as the similarity rises, and is the same for equal similarities; so it makes the similarities of
    different signals comparable.

    >>> right_shares(np.array([0.9, 0.8, 0.7, 0.7]), np.array([True, False, True, False])).tolist()
    [1.0, 0.3333333333333333, 0.3333333333333333, 0.3333333333333333]
    """
    from sklearn.isotonic import IsotonicRegression

    if not len(similarities):
        return similarities
    shares: NDArray[np.float64] = IsotonicRegression().fit_transform(similarities, right.astype(np.float64))
    return shares


def surest_mistakes(
    pairs: Pairs, thresholds: Mapping[str, float], groups: NDArray[np.integer], count: int
) -> list[Mistake]:
    """The wrong matches whose similarity is most often that of right ones, surest first, one for any two groups.

    Where the surest signals are equally sure, the sum over all signals decides. One for two groups, because two groups
    that are taken for one make as many mistakes as the product of their sizes.
    """
    correct = groups[pairs.left] == groups[pairs.right]
    shares = np.zeros((len(thresholds), len(pairs)))
    for share, signal in zip(shares, thresholds, strict=True):
        proposed = pairs.similarities[signal] > -np.inf
        share[proposed] = right_shares(pairs.similarities[signal][proposed], correct[proposed])
    wrong = np.flatnonzero(pairs.accepted(thresholds) & ~correct)
    surest, sure = shares.max(axis=0)[wrong], shares.sum(axis=0)[wrong]
    found: dict[frozenset[int], Mistake] = {}
    for place in np.lexsort((pairs.right[wrong], pairs.left[wrong], -sure, -surest)):
        at = wrong[place]
        left, right = int(pairs.left[at]), int(pairs.right[at])
        similarities = {signal: float(pairs.similarities[signal][at]) for signal in thresholds}
        named = {signal: value for signal, value in similarities.items() if value > -np.inf}
        mistake = Mistake(min(left, right), max(left, right), named, float(surest[place]))
        found.setdefault(frozenset((int(groups[left]), int(groups[right]))), mistake)
        if len(found) == count:
            break
    return list(found.values())


def _ranked(scored: Scores, groups: NDArray[np.integer], *, best: bool) -> list[ScoredGroup]:
    """All groups by their mean F1, the best or the worst first; of equal ones the larger."""
    sizes = np.bincount(groups)
    means = np.bincount(groups, scored.f1) / sizes
    order = np.lexsort((-sizes, -means if best else means))
    return [ScoredGroup(int(number), np.flatnonzero(groups == number), float(means[number])) for number in order]
