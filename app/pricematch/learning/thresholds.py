"""Thresholds of probabilities, for the best F1 and for a precision, picked where the label groups are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pricematch.evaluation.curves import ROUNDING, Curves
from pricematch.evaluation.metrics import group_sizes, right_candidates
from pricematch.evaluation.signals import CANDIDATES, MATCHER, between, pairs_of
from pricematch.pairs.bounds import allowed
from pricematch.pairs.thresholds import TARGETS, Target, Thresholds
from pricematch.search.candidates import Candidates, top_k

FLAT = 0.002
"""What mean F1 may lack of its best: the middle of that range is taken, since the best in it is a matter of luck."""
SURE = 1.645
"""Standard errors by which a fallback threshold must gain: 95 % on one side of a normal distribution."""


@dataclass(frozen=True, eq=False)
class ScoredCatalogue:
    """Candidates with probabilities in a catalogue of n postings, or in a part of whole groups.

    Attributes:
        candidates: of each posting, 49 at most; their similarities are probabilities.
        groups: [n], the number of each posting's label group, from 0.
        queries: bool [n], the postings whose candidates count, at least one.
    """

    candidates: Candidates
    groups: NDArray[np.intp]
    queries: NDArray[np.bool_]

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Which candidates are of their posting's group, bool [n, k]."""
        return right_candidates(self.candidates.rows, self.groups)

    @cached_property
    def first_gains(self) -> NDArray[np.float64]:
        """What a posting without a match gains in F1 by its best candidate, float64 [n]; 0 where there is none."""
        sizes = group_sizes(self.groups)
        some = self.candidates.rows[:, 0] >= 0
        gains: NDArray[np.float64] = np.where(some, 2 * (1 + self.right[:, 0]) / (2 + sizes) - 2 / (1 + sizes), 0.0)
        return gains


def scored_catalogue(
    left: NDArray[np.integer],
    right: NDArray[np.integer],
    probabilities: NDArray[np.float64],
    groups: NDArray[np.intp],
    queries: NDArray[np.bool_],
) -> ScoredCatalogue:
    """A catalogue of directed pairs [m], left the query and right its candidate, (a, b) and (b, a) both, in any order.

    Raises:
        ValueError: there is no query, or a probability is not in 0…1.
    """
    if not queries.any():
        raise ValueError("expected at least one query")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("expected probabilities from 0 to 1")
    return ScoredCatalogue(top_k(left, right, probabilities, len(groups), CANDIDATES), groups, queries)


@dataclass(frozen=True, eq=False)
class _Curve:
    """Means over catalogues at each threshold, descending, inf first.

    Attributes:
        thresholds: float64 [m].
        f1: float64 [m], of lists of all candidates at least as probable.
        first_gains: float64 [m], what best candidates at least as probable add to the F1 of queries without a match.
        right, answered: float64 [m], how many candidates at least as probable are right, and how many there are.
    """

    thresholds: NDArray[np.float64]
    f1: NDArray[np.float64]
    first_gains: NDArray[np.float64]
    right: NDArray[np.float64]
    answered: NDArray[np.float64]

    def lowest(self, place: int) -> float:
        """The threshold, in the middle of its range, that keeps the candidates down to a place."""
        following = min(place + 1, len(self.thresholds) - 1)
        return between(MATCHER, float(self.thresholds[place]), float(self.thresholds[following]))


def pick(catalogues: Sequence[ScoredCatalogue], targets: Sequence[Target] = TARGETS) -> dict[Target, Thresholds]:
    """The thresholds for some targets in catalogues of about one size, at least one; their curves are averaged.

    For a precision: the lowest threshold at which that share of all matches of the queries is right, inf if
    there is none; postings without a match stay so, since more matches would break the promise.

    For F1: every threshold t with the a ≤ t from which on postings without a match at t take their best candidate. With
    F(t) the mean F1 at t and C(a) what best candidates of at least a add to lists of one, both exact at every
    probability that occurs, the two together have F(t) + C(a) − C(t). Of the t that come within 0.002 of the best with
    their best a, the middle one is taken, and below it the best a, if what it gains is more than 1.645 of its standard
    errors over label groups; otherwise a = t.

    No threshold is so low that everything is a match, nor so high that identical pairs are none: see `bounds.allowed`.
    """
    curve = _mean_curve(catalogues)
    found = {}
    for target in targets:
        if target.precision is None:
            match = allowed(_best_match(curve))
            found[target] = Thresholds(match, _best_fallback(curve, match, catalogues))
        else:
            reached = np.flatnonzero((curve.answered > 0) & (curve.right >= target.precision * curve.answered))
            match = allowed(curve.lowest(int(reached[-1]))) if len(reached) else np.inf
            found[target] = Thresholds(match, match)
    return found


def _mean_curve(catalogues: Sequence[ScoredCatalogue]) -> _Curve:
    every = np.concatenate([catalogue.candidates.similarities[catalogue.queries].ravel() for catalogue in catalogues])
    thresholds = np.concatenate([[np.inf], np.unique(every[every > -np.inf])[::-1]])
    curves = [_curve(catalogue, thresholds) for catalogue in catalogues]
    count = len(curves)
    f1, first, right, answered = (
        sum(getattr(curve, name) for curve in curves) / count for name in ("f1", "first_gains", "right", "answered")
    )
    return _Curve(thresholds, f1, first, right, answered)


def _curve(catalogue: ScoredCatalogue, thresholds: NDArray[np.float64]) -> _Curve:
    """The curve of one catalogue at thresholds that may be those of others too."""
    queries, similarities = catalogue.queries, catalogue.candidates.similarities
    pairs = pairs_of({MATCHER: catalogue.candidates}, len(queries))
    f1 = Curves(pairs, catalogue.groups).of(MATCHER, queries).at(thresholds).f1
    first = _sums(similarities[queries, 0], catalogue.first_gains[queries], thresholds) / queries.sum()
    proposed = similarities[queries] > -np.inf
    found = similarities[queries][proposed]
    right = _sums(found, catalogue.right[queries][proposed], thresholds)
    return _Curve(thresholds, f1, first, right, _sums(found, np.ones(len(found)), thresholds))


def _sums(
    similarities: NDArray[np.float64], values: NDArray[np.generic], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The sum of the values [k] whose similarities [k] are at least each threshold."""
    order = np.argsort(-similarities, kind="stable")
    sums: NDArray[np.float64] = np.concatenate([[0.0], np.cumsum(values[order], dtype=np.float64)])
    return sums[np.searchsorted(-similarities[order], -thresholds, side="right")]


def _best_match(curve: _Curve) -> float:
    """The middle of the thresholds around the best that are nearly as good, each with its best fallback."""
    joint = curve.f1 - curve.first_gains + np.maximum.accumulate(curve.first_gains[::-1])[::-1]
    if joint[1:].max(initial=-np.inf) < joint[0] - ROUNDING:
        return np.inf
    best = int(joint[1:].argmax()) + 1
    worse = np.flatnonzero(joint < joint[best] - FLAT)
    before, after = worse[worse < best], worse[worse > best]
    highest = min(1.0, float(curve.thresholds[before[-1] + 1 if len(before) else 0]))
    return (highest + float(curve.thresholds[after[0] if len(after) else -1])) / 2


def _best_fallback(curve: _Curve, match: float, catalogues: Sequence[ScoredCatalogue]) -> float:
    """The fallback threshold, for postings without a match at `match`; `match` where the gain is not sure."""
    start = int(np.searchsorted(-curve.thresholds, -match, side="right")) - 1
    place = start + int(curve.first_gains[start:].argmax())
    if place == start:
        return match
    fallback = min(match, allowed(curve.lowest(place)))
    gains, errors = zip(*(_gain(catalogue, match, fallback) for catalogue in catalogues), strict=True)
    # catalogues drawn from one share groups: their errors are averaged as if they were the same one
    return fallback if sum(gains) > SURE * sum(errors) else match


def _gain(catalogue: ScoredCatalogue, match: float, fallback: float) -> tuple[float, float]:
    """What `fallback` gains a query on average, and its standard error, groups being drawn at random."""
    best, queries = catalogue.candidates.similarities[:, 0], catalogue.queries
    taken = (best >= fallback) & (best < match)
    sums = np.bincount(catalogue.groups[queries], (catalogue.first_gains * taken)[queries])
    sums = sums[np.bincount(catalogue.groups[queries]) > 0]
    postings = int(queries.sum())
    return float(sums.sum()) / postings, float(np.sqrt(((sums - sums.mean()) ** 2).sum())) / postings
