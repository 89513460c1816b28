"""Weights of the default pair model's regressions: the most probable ones, given pairs and weights known beforehand."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pricematch.pairs.default_model import TERMS

BOUNDS: Sequence[tuple[float, float]] = [(term.least, term.most) for term in TERMS]
SPREADS = np.array([term.spread for term in TERMS])


def fit_weights(
    terms: NDArray[np.float64],
    truth: NDArray[np.bool_] | NDArray[np.float64],
    counts: NDArray[np.float64],
    before: NDArray[np.float64],
    spreads: NDArray[np.float64],
    bounds: Sequence[tuple[float, float]],
    steepness: float = 0.0,
) -> NDArray[np.float64]:
    """Weights of a logistic regression, float64 [t], the most probable ones (maximum a posteriori).

    Beforehand weights are normally distributed, each independently of the others, and with a steepness all of them in
    proportion, too; with no pairs they stay what they were. Sums are computed in one thread, so that they are rounded
    alike however many cores are idle.

    Args:
        terms: float64 [m, t], of pairs.
        truth: [m], whether they are right, or how probably.
        counts: float64 [m], as how many pairs each counts, 0 or more.
        before: [t], the weights that are expected before any pair is seen, within the bounds.
        spreads: [t], standard deviations by which they may differ from that, above 0.
        bounds: t, between which each weight lies.
        steepness: standard deviation of the share by which all weights may differ from that together.
    """
    from scipy.optimize import minimize

    right, alike = truth.astype(np.float64), steepness * before
    precision = np.linalg.inv(np.diag(spreads**2) + np.outer(alike, alike))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        z, apart = terms @ weights, weights - before
        errors = counts * (1 / (1 + np.exp(-np.clip(z, -500, 500))) - right)
        value = (counts * (np.logaddexp(0, z) - right * z)).sum() + apart @ precision @ apart / 2
        return float(value), terms.T @ errors + precision @ apart

    with threadpool_limits(1, user_api="blas"):
        found = minimize(loss, before, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 1000})
    low, high = np.array(bounds).T
    return np.asarray(np.clip(found.x, low, high), np.float64)
