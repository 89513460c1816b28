"""Whether probabilities are true: of all pairs with a probability of 0.8, eight in ten should be right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 15
"""As in Guo et al. 2017."""
LIKELY = 0.05
"""Pairs at least as probable are counted apart: most candidates are plainly different and easy to be right on."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predictions in bins of equal width, for a reliability diagram; bins without weight are left out.

    Attributes:
        weights: float64 [k], above 0, the sum of each bin.
        probabilities: float64 [k], ascending, the weighted mean of each bin.
        shares: float64 [k], 0 to 1, what share of it was true.
    """

    weights: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    shares: NDArray[np.float64]


def reliability(
    p: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64], bins: int = BINS
) -> Reliability:
    """Means by bin: [0, 1/b), [1/b, 2/b), …, the last with its upper end.

    Args:
        p: [m], probabilities 0 to 1.
        truth: bool [m].
        weights: [m], 0 or more.
        bins: b, at least 1.

    Raises:
        ValueError: the arguments do not fit together.

    >>> found = reliability(np.array([0.2, 0.4, 1.0]), np.array([False, True, True]), np.ones(3), 2)
    >>> found.weights.tolist(), found.probabilities.round(3).tolist(), found.shares.tolist()
    ([2.0, 1.0], [0.3, 1.0], [0.5, 1.0])
    """
    _check(p, truth, weights)
    if bins < 1:
        raise ValueError(f"expected at least one bin, got {bins}")
    place = np.minimum((p * bins).astype(np.intp), bins - 1)
    total, probability, true = (
        np.bincount(place, values, bins).astype(np.float64) for values in (weights, weights * p, weights * truth)
    )
    kept = total > 0
    return Reliability(total[kept], probability[kept] / total[kept], true[kept] / total[kept])


def expected_calibration_error(
    p: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64], bins: int = BINS
) -> float:
    """Expected calibration error: ECE = Σ over bins of w / W · |mean p − share true|.

    W is the sum of all weights w. Bins are of equal width (Naeini et al.: Obtaining well calibrated probabilities using
    Bayesian binning, 2015; Guo et al.: On calibration of modern neural networks, 2017), but of the probability of being
    right, not of the more likely of two classes. Where most pairs are easy, their bin near 0 decides: choose the pairs.

    Args and raises as `reliability`.

    Returns:
        A value in [0, 1]; 0.0 where nothing has weight, since no probability is wrong.

    >>> round(expected_calibration_error(np.array([0.2, 0.4, 1.0]), np.array([False, True, True]), np.ones(3), 2), 4)
    0.1333
    """
    found = reliability(p, truth, weights, bins)
    total = float(found.weights.sum())
    return float((found.weights * np.abs(found.probabilities - found.shares)).sum()) / total if total else 0.0


def brier_score(p: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    """The mean squared error of probabilities: Σ w (p − t)² / Σ w, t being 1 for what is true and 0 otherwise.

    Brier: Verification of forecasts expressed in terms of probability, 1950; half of his figure, which sums over both
    classes.

    Args and raises as `reliability`.

    Returns:
        A value in [0, 1], lower is better; 0.0 where nothing has weight.

    >>> round(brier_score(np.array([0.2, 0.4, 1.0]), np.array([False, True, True]), np.ones(3)), 4)
    0.1333
    """
    _check(p, truth, weights)
    total = float(weights.sum())
    return float((weights * (p - truth) ** 2).sum()) / total if total else 0.0


def _check(p: NDArray[np.float64], truth: NDArray[np.bool_], weights: NDArray[np.float64]) -> None:
    if not len(p) == len(truth) == len(weights):
        raise ValueError(f"expected as many of each, got {[len(p), len(truth), len(weights)]}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("expected probabilities from 0 to 1")
    if not (weights >= 0).all():
        raise ValueError("expected weights of 0 or more")
