"""Calibration of a pair model: fitted on held-out scores of pairs, the method picked by held-out folds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from pricematch.learning.samples import NOT_TRAINED, SamplePairs
from pricematch.pairs.calibration import ISOTONIC, MAX_KNOTS, PLATT, Calibration, log_odds

_BINS_A_UNIT = 200
_LEAST_SLOPE = 1e-3
"""Least slope of Platt's line: scores that are uninformative, or inverted, still keep their order."""
_EQUAL = 1e-12
"""By what two steps may differ and still be one."""


@dataclass(frozen=True, eq=False)
class _Counts:
    """Pairs in bins of their log odds.

    Attributes:
        log_odds: float64 [k], the mean of each bin, ascending.
        right, wrong: float64 [k], the weight of the pairs in it, on average 1 a pair.
    """

    log_odds: NDArray[np.float64]
    right: NDArray[np.float64]
    wrong: NDArray[np.float64]

    def __add__(self, other: "_Counts") -> "_Counts":
        return _Counts(self.log_odds, self.right + other.right, self.wrong + other.wrong)

    def __sub__(self, other: "_Counts") -> "_Counts":
        return _Counts(self.log_odds, np.maximum(self.right - other.right, 0), np.maximum(self.wrong - other.wrong, 0))


def fit_calibration(
    raw: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64], folds: NDArray[np.integer]
) -> tuple[Calibration, Mapping[str, float]]:
    """Fit on all pairs by the method that did best on held-out ones.

    Platt's line is taken unless the isotonic map has a lower Brier score on the folds left out, by more than one
    standard error of the difference over the folds: on groups that were not fitted on, the two differ by less than
    luck, and two numbers are surer than a hundred.

    Args:
        raw: [m], scores 0 to 1 of pairs; at least one.
        truth: bool [m], whether they are right.
        weights: [m], 0 or more, not all 0; see `tempered_weights`.
        folds: [m], from 0, the fold each pair is held out with; pairs of one group should be in one.

    Returns:
        The calibration, and per method its weighted Brier score on pairs held out (none if there is one fold only).

    Raises:
        ValueError: the arguments do not fit together.
    """
    _check(raw, truth, weights, folds)
    parts = _counted(raw, truth, weights, folds)
    every = reduce(_Counts.__add__, parts)
    used = [part for part in parts if part.right.sum() + part.wrong.sum() > 0]
    if len(used) < 2:
        return _platt(every), {}
    sums = {method: np.array([_squares(fit(every - part), part) for part in used]) for method, fit in _METHODS.items()}
    weight = float(weights.sum() / weights[weights > 0].mean())
    briers = {method: float(found.sum()) / weight for method, found in sums.items()}
    gains = sums[PLATT] - sums[ISOTONIC]
    sure = gains.sum() > np.sqrt(len(gains)) * gains.std(ddof=1)
    return _METHODS[ISOTONIC if sure else PLATT](every), briers


def tempered_weights(
    left: NDArray[np.integer], right: NDArray[np.integer], raw: NDArray[np.float64], queries: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Weights [m] of pairs between counting all pairs alike and all postings alike: Σ over ends in queries of 1 / √d.

    d is how many matches a posting is expected to have, itself included, 1 + Σ raw over its pairs. A group of 50 has
    1,225 right pairs and a group of two has one: with equal weights a few dozen large groups decide what a probability
    means, with 1 / d the many small ones do, and for the others it means something else. It needs no label groups. Each
    pair is given once, by the rows of its ends and its raw score in 0…1; one without an end in `queries`, bool [n], has
    weight 0.

    >>> queries = np.array([True, False, True])
    >>> tempered_weights(np.array([0, 0]), np.array([1, 2]), np.array([1.0, 1.0]), queries).round(2)
    array([0.58, 1.28])
    """
    count = len(queries)
    expected = 1 + np.bincount(left, raw, count) + np.bincount(right, raw, count)
    share = queries / np.sqrt(expected)
    weights: NDArray[np.float64] = share[left] + share[right]
    return weights


def _check(
    raw: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64], folds: NDArray[np.integer]
) -> None:
    if not len(raw) == len(truth) == len(weights) == len(folds):
        raise ValueError(f"expected as many of each, got {[len(raw), len(truth), len(weights), len(folds)]}")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and (weights > 0).any()):
        raise ValueError("expected weights of 0 or more, and pairs that have some")
    if folds.min() < 0:
        raise ValueError(f"expected folds from 0, got {folds.min()}")


def _counted(
    raw: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64], folds: NDArray[np.integer]
) -> list[_Counts]:
    """The pairs that have weight, counted fold by fold in the same bins."""
    kept = weights > 0
    values, truth, weights, folds = log_odds(raw[kept]), truth[kept], weights[kept] / weights[kept].mean(), folds[kept]
    numbers = np.round(values * _BINS_A_UNIT).astype(np.intp)
    bins = np.unique(numbers, return_inverse=True)[1]
    middles = np.bincount(bins, weights * values) / np.bincount(bins, weights)
    count = int(folds.max()) + 1
    cells = folds * len(middles) + bins
    right, wrong = (
        np.bincount(cells, np.where(side, weights, 0.0), count * len(middles)).astype(np.float64).reshape(count, -1)
        for side in (truth, ~truth)
    )
    return [_Counts(middles, *sides) for sides in zip(right, wrong, strict=True)]


def _platt(counts: _Counts) -> Calibration:
    """The line a·x + b of the lowest log loss, with the targets of Platt 1999, eq. 5: never quite 0 or 1."""
    from scipy.optimize import minimize

    x, weights = counts.log_odds, counts.right + counts.wrong
    total = weights.sum()
    high, low = (counts.right.sum() + 1) / (counts.right.sum() + 2), 1 / (counts.wrong.sum() + 2)
    targets = counts.right * high + counts.wrong * low

    def loss(line: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z = line[0] * x + line[1]
        gradient = weights / (1 + np.exp(-np.clip(z, -700, 700))) - targets
        value = (weights * np.logaddexp(0, z) - targets * z).sum()
        return value / total, np.array([(gradient * x).sum(), gradient.sum()]) / total

    bounds = [(_LEAST_SLOPE, None), (None, None)]
    found = minimize(
        loss, [1.0, 0.0], jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-9}
    )
    slope, offset = found.x.tolist()
    return Calibration(PLATT, (0.0,), (offset,), slope)


def _isotonic(counts: _Counts) -> Calibration:
    """The steps of the least squared error that never fall, each as the knot in its middle.

    One right pair below all others and one wrong pair above all keep the outermost steps off 0 and 1, as Laplace's rule
    does. Knots beyond 256 are thinned out evenly.
    """
    from scipy.optimize import isotonic_regression

    seen = counts.right + counts.wrong > 0
    x, right, wrong = counts.log_odds[seen], counts.right[seen], counts.wrong[seen]
    x = np.concatenate([x[:1], x, x[-1:]])
    right, wrong = np.concatenate([[1], right, [0]]), np.concatenate([[0], wrong, [1]])
    weights = right + wrong
    steps = isotonic_regression(right / weights, weights=weights)
    begins = np.flatnonzero(np.diff(steps.x, prepend=-1) > _EQUAL)
    values = steps.x[begins]
    middles = np.add.reduceat(weights * x, begins) / np.add.reduceat(weights, begins)
    kept = np.unique(np.linspace(0, len(begins) - 1, min(len(begins), MAX_KNOTS)).round().astype(np.intp))
    raw, mapped = middles[kept].tolist(), log_odds(values[kept]).tolist()
    return Calibration(ISOTONIC, tuple(raw), tuple(mapped), 1.0)


def _squares(calibration: Calibration, counts: _Counts) -> float:
    """The weighted squared errors on counted pairs."""
    p = calibration(1 / (1 + np.exp(-counts.log_odds)))
    return float((counts.right * (1 - p) ** 2 + counts.wrong * p**2).sum())


_METHODS: Mapping[str, Callable[[_Counts], Calibration]] = {PLATT: _platt, ISOTONIC: _isotonic}


def calibrate(parts: Sequence[SamplePairs], without: int | None = None) -> tuple[Calibration, Mapping[str, float]]:
    """Fit on the pairs of all parts (whole samples), or on those of them that have no end in the fold `without`.

    A wrong pair across two folds is left out with either, since it is held out with either. The wrong pairs that stay
    are weighted for those left out, see `SamplePairs.negative_weight`. Returns as `fit_calibration`.
    """
    # held out with the higher fold of its ends'; 0 for a pair without a trained end, whose weight is 0 as well
    folds = [np.asarray(part.folds.max(axis=1, initial=0), np.intp) for part in parts]
    return fit_calibration(
        np.concatenate([part.second_scores for part in parts]),
        np.concatenate([part.truth for part in parts]),
        np.concatenate([_weights(part, without) for part in parts]),
        np.concatenate(folds),
    )


def _weights(part: SamplePairs, without: int | None) -> NDArray[np.float64]:
    """The weight of each pair of a part; 0 where it is left out, and where its truth is not known."""
    seen = part.known & part.outside(without)
    found = tempered_weights(part.left, part.right, part.second_scores, part.fold_of != NOT_TRAINED) * seen
    return np.where(part.truth, found, found * part.negative_weight(seen, without))
