"""Thresholds of probabilities, for the best F1 and for a precision, picked where the label groups are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pricematch.evaluation.curves import ROUNDING, Curves
from pricematch.evaluation.metrics import group_sizes
from pricematch.evaluation.signals import CANDIDATES, MATCHER, between, pairs_of
from pricematch.pairs.thresholds import TARGETS, Target, Thresholds
from pricematch.search.candidates import Candidates, top_k

FLAT = 0.002
"""What mean F1 may lack of its best: the middle of that range is taken, since luck says where in it the best is."""
SURE = 1.645
"""Standard errors by which postings left alone must gain: 95 % on one side of a normal distribution."""


@dataclass(frozen=True, eq=False)
class JudgedCatalogue:
    """What is proposed in a catalogue, or a sub-catalogue of whole groups, of n postings.

    Attributes:
        candidates: of each posting, 49 at most; their similarities are probabilities.
        groups: [n], the number of each posting's label group, from 0.
        judged: bool [n], the postings that count, at least one.
    """

    candidates: Candidates
    groups: NDArray[np.intp]
    judged: NDArray[np.bool_]

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Which candidates are of their posting's group, bool [n, k]."""
        rows = self.candidates.rows
        right: NDArray[np.bool_] = (self.groups[rows] == self.groups[:, np.newaxis]) & (rows >= 0)
        return right

    @cached_property
    def first_gains(self) -> NDArray[np.float64]:
        """What a list of the posting alone gains in F1 by its best candidate, float64 [n]; 0 where there is none."""
        sizes = group_sizes(self.groups)
        some = self.candidates.rows[:, 0] >= 0
        gains: NDArray[np.float64] = np.where(some, 2 * (1 + self.right[:, 0]) / (2 + sizes) - 2 / (1 + sizes), 0.0)
        return gains


def judged_catalogue(
    lines: NDArray[np.integer],
    rows: NDArray[np.integer],
    probabilities: NDArray[np.float64],
    groups: NDArray[np.intp],
    judged: NDArray[np.bool_],
) -> JudgedCatalogue:
    """A catalogue of directed pairs, each once, (a, b) and (b, a) both, in any order.

    Args:
        lines: [m], the posting that asks.
        rows: [m], the one that is proposed, never the same.
        probabilities: [m], 0 to 1.
        groups: [n], see `JudgedCatalogue`.
        judged: [n], likewise.

    Raises:
        ValueError: nobody is judged, or a probability is out of range.
    """
    if not judged.any():
        raise ValueError("expected at least one posting to judge")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("expected probabilities from 0 to 1")
    return JudgedCatalogue(top_k(lines, rows, probabilities, len(groups), CANDIDATES), groups, judged)


@dataclass(frozen=True, eq=False)
class _Curve:
    """Means over catalogues at each threshold, descending, inf first.

    Attributes:
        thresholds: float64 [m].
        f1: float64 [m], of lists of all candidates at least as probable.
        first: float64 [m], what best candidates at least as probable add to the F1 of postings alone, a judged posting.
        right, answered: float64 [m], how many candidates at least as probable are right, and how many there are.
    """

    thresholds: NDArray[np.float64]
    f1: NDArray[np.float64]
    first: NDArray[np.float64]
    right: NDArray[np.float64]
    answered: NDArray[np.float64]

    def lowest(self, place: int) -> float:
        """The threshold, in the middle of its range, of which the candidates are those at a place."""
        following = min(place + 1, len(self.thresholds) - 1)
        return between(MATCHER, float(self.thresholds[place]), float(self.thresholds[following]))


def pick(catalogues: Sequence[JudgedCatalogue], targets: Sequence[Target] = TARGETS) -> dict[Target, Thresholds]:
    """The thresholds for some targets in catalogues of about one size, at least one; their curves are averaged.

    For a precision: the lowest threshold at which that share of all candidates answered to judged postings is right,
    inf if there is none; postings left alone stay so, since more answers would break the promise.

    For F1: every threshold t with the a ≤ t from which on postings left alone by t take their best candidate. With
    F(t) the mean F1 at t and C(a) what best candidates of at least a add to lists of one, both exact at every
    probability that occurs, the two together have F(t) + C(a) − C(t). Of the t that come within 0.002 of the best with
    their best a, the middle one is taken, and below it the best a, if what it gains is more than 1.645 of its standard
    errors over label groups; otherwise a = t.
    """
    curve = _mean_curve(catalogues)
    found = {}
    for target in targets:
        if target.precision is None:
            match = _best_match(curve)
            found[target] = Thresholds(match, _best_alone(curve, match, catalogues))
        else:
            match = _match_of_precision(curve, target.precision)
            found[target] = Thresholds(match, match)
    return found


def _mean_curve(catalogues: Sequence[JudgedCatalogue]) -> _Curve:
    every = np.concatenate([catalogue.candidates.similarities[catalogue.judged].ravel() for catalogue in catalogues])
    thresholds = np.concatenate([[np.inf], np.unique(every[every > -np.inf])[::-1]])
    curves = [_curve(catalogue, thresholds) for catalogue in catalogues]
    count = len(curves)
    f1, first, right, answered = (
        sum(getattr(curve, name) for curve in curves) / count for name in ("f1", "first", "right", "answered")
    )
    return _Curve(thresholds, f1, first, right, answered)


def _curve(catalogue: JudgedCatalogue, thresholds: NDArray[np.float64]) -> _Curve:
    """The curve of one catalogue at thresholds that may be those of others too."""
    judged, similarities = catalogue.judged, catalogue.candidates.similarities
    pairs = pairs_of({MATCHER: catalogue.candidates}, len(judged))
    f1 = Curves(pairs, catalogue.groups).of(MATCHER, judged).at(thresholds).f1
    first = _sums(similarities[judged, 0], catalogue.first_gains[judged], thresholds) / judged.sum()
    proposed = similarities[judged] > -np.inf
    found = similarities[judged][proposed]
    right = _sums(found, catalogue.right[judged][proposed], thresholds)
    return _Curve(thresholds, f1, first, right, _sums(found, np.ones(len(found)), thresholds))


def _sums(
    similarities: NDArray[np.float64], values: NDArray[np.generic], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The sum of the values [k] whose similarities [k] are at least each threshold."""
    order = np.argsort(-similarities, kind="stable")
    sums: NDArray[np.float64] = np.concatenate([[0.0], np.cumsum(values[order], dtype=np.float64)])
    return sums[np.searchsorted(-similarities[order], -thresholds, side="right")]


def _best_match(curve: _Curve) -> float:
    """The middle of the thresholds around the best that are nearly as good, each with its best `alone`."""
    joint = curve.f1 - curve.first + np.maximum.accumulate(curve.first[::-1])[::-1]
    if joint[1:].max(initial=-np.inf) < joint[0] - ROUNDING:
        return np.inf
    best = int(joint[1:].argmax()) + 1
    worse = np.flatnonzero(joint < joint[best] - FLAT)
    before, after = worse[worse < best], worse[worse > best]
    highest = min(1.0, float(curve.thresholds[before[-1] + 1 if len(before) else 0]))
    return (highest + float(curve.thresholds[after[0] if len(after) else -1])) / 2


def _best_alone(curve: _Curve, match: float, catalogues: Sequence[JudgedCatalogue]) -> float:
    """The threshold of the best candidate of those left alone at `match`; `match` where it gains nothing for sure."""
    start = int(np.searchsorted(-curve.thresholds, -match, side="right")) - 1
    place = start + int(curve.first[start:].argmax())
    if place == start:
        return match
    alone = min(match, curve.lowest(place))
    gains, errors = zip(*(_gain(catalogue, match, alone) for catalogue in catalogues), strict=True)
    # catalogues drawn from one share groups: their errors are averaged as if they were the same one
    return alone if sum(gains) > SURE * sum(errors) else match


def _gain(catalogue: JudgedCatalogue, match: float, alone: float) -> tuple[float, float]:
    """What `alone` gains a judged posting on average, and its standard error, groups being drawn at random."""
    best, judged = catalogue.candidates.similarities[:, 0], catalogue.judged
    taken = (best >= alone) & (best < match)
    sums = np.bincount(catalogue.groups[judged], (catalogue.first_gains * taken)[judged])
    sums = sums[np.bincount(catalogue.groups[judged]) > 0]
    postings = int(judged.sum())
    return float(sums.sum()) / postings, float(np.sqrt(((sums - sums.mean()) ** 2).sum())) / postings


def _match_of_precision(curve: _Curve, precision: float) -> float:
    """The lowest threshold of which that share of the answers is right."""
    reached = np.flatnonzero((curve.answered > 0) & (curve.right >= precision * curve.answered))
    return curve.lowest(int(reached[-1])) if len(reached) else np.inf
