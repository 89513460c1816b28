"""Weights of a logistic regression: between what is known beforehand and what pairs say."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.learning.regression import BOUNDS, SPREADS, fit_weights
from pricematch.pairs.default_model import TERMS

FREE = ((-np.inf, np.inf),) * 2


def fit(
    terms: Sequence[Sequence[float]],
    truth: Sequence[bool],
    before: Sequence[float] = (0.0, 0.0),
    spreads: Sequence[float] = (1.0, 1.0),
    bounds: Sequence[tuple[float, float]] = FREE,
    counts: Sequence[float] | None = None,
) -> list[float]:
    """The weights, of two terms."""
    pairs = np.array(terms, np.float64).reshape(-1, 2)
    each = np.ones(len(pairs)) if counts is None else np.array(counts)
    found = fit_weights(pairs, np.array(truth, np.bool_), each, np.array(before), np.array(spreads), bounds)
    return [float(weight) for weight in found]


def drawn_pairs(count: int, weights: Sequence[float], seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Pairs whose truth is drawn by the probabilities of some weights."""
    rng = np.random.default_rng(seed)
    terms = rng.normal(size=(count, 2))
    return terms, rng.random(count) < 1 / (1 + np.exp(-terms @ np.array(weights)))


def test_without_pairs_the_weights_stay() -> None:
    """Nothing is learned from nothing."""
    assert fit([], [], before=(1.5, -0.5)) == [1.5, -0.5]


def test_pairs_that_count_nothing_teach_nothing() -> None:
    """Weights of pairs are 0 or more."""
    assert fit([[1, 0]] * 5, [True] * 5, before=(0.3, 0.2), counts=[0.0] * 5) == pytest.approx([0.3, 0.2])


def test_each_weight_moves_towards_the_truth() -> None:
    """Up for a term that right pairs have, down for one that wrong ones have, the further the more pairs say so."""
    few, many = (fit([[1, 0], [0, 1]] * count, [True, False] * count) for count in (1, 30))
    assert 0 < few[0] < many[0]
    assert 0 > few[1] > many[1]


def test_many_pairs_give_their_own_weights() -> None:
    """Whatever was known beforehand, and nearly whatever it was worth."""
    terms, truth = drawn_pairs(40_000, (1.2, -0.7))
    found = fit_weights(terms, truth, np.ones(len(terms)), np.array([-1.0, 2.0]), np.ones(2), FREE)
    np.testing.assert_allclose(found, [1.2, -0.7], atol=0.05)


def test_a_weight_that_is_known_well_moves_less() -> None:
    """Spreads are standard deviations of what is known beforehand."""
    sure, unsure = fit([[1, 1]] * 10, [True] * 10, spreads=(0.1, 1.0))
    assert 0 < sure < unsure / 10


def test_the_weights_are_the_most_probable_ones() -> None:
    """No step away from them has a higher posterior, by its formula."""
    terms, truth = drawn_pairs(60, (2.0, -1.0))
    before, spreads = np.array([0.5, 0.5]), np.array([0.4, 2.0])

    def posterior(weights: NDArray[np.float64]) -> float:
        z = terms @ weights
        likelihood = np.log(1 / (1 + np.exp(np.where(truth, -z, z)))).sum()
        return float(likelihood - (((weights - before) / spreads) ** 2).sum() / 2)

    found = fit_weights(terms, truth, np.ones(60), before, spreads, FREE)
    for step in (*np.eye(2), *-np.eye(2)):
        assert posterior(found) > posterior(found + 0.01 * step)


def test_bounds_are_kept() -> None:
    """Though all pairs say otherwise, and the other weights do what they can."""
    held, free = fit([[1, 1]] * 50, [False] * 50, before=(1.0, 0.0), bounds=((0.0, np.inf), (-np.inf, np.inf)))
    assert held == 0
    assert free < -1


def test_a_pair_that_counts_twice_is_two_pairs() -> None:
    """Counts are how often a pair was seen."""
    twice = fit([[1, 0.5], [0.2, 1]], [True, False], counts=[2, 3])
    assert twice == pytest.approx(fit([[1, 0.5]] * 2 + [[0.2, 1]] * 3, [True] * 2 + [False] * 3), abs=1e-6)


def test_extreme_terms_are_no_fault() -> None:
    """Neither overflow nor what is not a number comes of them; warnings are errors."""
    assert np.isfinite(fit([[1e4, 0], [-1e4, 1]], [False, True], before=(5.0, 0.0))).all()


def test_the_terms_have_bounds_and_spreads() -> None:
    """One each, the spreads above 0."""
    assert [*BOUNDS] == [(term.least, term.most) for term in TERMS]
    assert SPREADS.shape == (len(TERMS),)
    assert (SPREADS > 0).all()


def test_weights_that_may_grow_together_keep_their_proportion() -> None:
    """A steepness lets a pair of one term move the other as well, by the share that it has of them."""
    terms, truth, before = np.array([[1.0, 0.0]]), np.array([True]), np.array([0.4, 0.8])
    apart, together = (
        fit_weights(terms, truth, np.ones(1), before, np.full(2, 0.01), FREE, steepness) for steepness in (0.0, 1.0)
    )
    assert apart[1] == pytest.approx(before[1])
    assert together[1] > before[1]
    assert together[1] / together[0] == pytest.approx(2, rel=0.01)


def test_a_truth_that_is_a_probability_pulls_towards_it() -> None:
    """Pairs of 0.8 give weights that say 0.8 where nothing else is known."""
    [found, _] = fit_weights(
        np.array([[1.0, 0.0]]), np.array([0.8]), np.array([1e4]), np.zeros(2), np.full(2, 5.0), FREE
    )
    assert 1 / (1 + np.exp(-found)) == pytest.approx(0.8, abs=1e-3)
