"""Reliability against sums over one pair after another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricematch.evaluation.reliability import BINS, brier_score, expected_calibration_error, reliability

PAIRS = st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.integers(0, 5)), max_size=40)


def arrays(pairs: list[tuple[float, bool, int]]) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    p, truth, weights = zip(*pairs, strict=True) if pairs else ((), (), ())
    return np.array(p, np.float64), np.array(truth, np.bool_), np.array(weights, np.float64)


def naive_bins(pairs: list[tuple[float, bool, int]], bins: int) -> list[tuple[float, float, float]]:
    """Weight, mean probability and share of each bin that has weight."""
    found = []
    for number in range(bins):
        inside = [pair for pair in pairs if min(int(pair[0] * bins), bins - 1) == number]
        weight = float(sum(w for _, _, w in inside))
        if weight:
            found.append((weight, sum(p * w for p, _, w in inside) / weight, sum(t * w for _, t, w in inside) / weight))
    return found


@given(PAIRS, st.integers(1, 20))
def test_each_bin_holds_what_falls_into_it(pairs: list[tuple[float, bool, int]], bins: int) -> None:
    found, expected = reliability(*arrays(pairs), bins), naive_bins(pairs, bins)
    columns = list(zip(*expected, strict=True)) if expected else [(), (), ()]
    np.testing.assert_allclose(found.weights, columns[0])
    np.testing.assert_allclose(found.probabilities, columns[1], atol=1e-12)
    np.testing.assert_allclose(found.shares, columns[2], atol=1e-12)


@given(PAIRS, st.integers(1, 20))
def test_the_calibration_error_is_the_weighted_mean_gap_of_the_bins(
    pairs: list[tuple[float, bool, int]], bins: int
) -> None:
    expected = naive_bins(pairs, bins)
    gaps = sum(w * abs(p - share) for w, p, share in expected) / (sum(w for w, _, _ in expected) or 1)
    assert expected_calibration_error(*arrays(pairs), bins) == pytest.approx(gaps, abs=1e-12)


@given(PAIRS)
def test_the_brier_score_is_the_weighted_mean_squared_error(pairs: list[tuple[float, bool, int]]) -> None:
    expected = sum(w * (p - t) ** 2 for p, t, w in pairs) / (sum(w for _, _, w in pairs) or 1)
    assert brier_score(*arrays(pairs)) == pytest.approx(expected, abs=1e-12)


def test_true_probabilities_have_no_calibration_error() -> None:
    p, truth = np.repeat([0.25, 0.75], 4), np.array([1, 0, 0, 0, 1, 1, 1, 0], bool)
    assert expected_calibration_error(p, truth, np.ones(8)) == 0
    assert brier_score(p, truth, np.ones(8)) == 0.25 * 0.75


def test_nothing_reported_is_nothing_wrong() -> None:
    empty = arrays([])
    assert (expected_calibration_error(*empty), brier_score(*empty)) == (0.0, 0.0)
    assert len(reliability(*empty).weights) == 0


@pytest.mark.parametrize(
    ("p", "weights", "bins", "reason"),
    [
        ([0.5, 1.5], [1, 1], BINS, "probabilities from 0 to 1"),
        ([0.5, np.nan], [1, 1], BINS, "probabilities from 0 to 1"),
        ([0.5, 0.5], [1, -1], BINS, "weights of 0 or more"),
        ([0.5], [1, 1], BINS, "as many of each"),
        ([0.5, 0.5], [1, 1], 0, "at least one bin"),
    ],
)
def test_what_does_not_fit_is_refused(p: list[float], weights: list[float], bins: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        reliability(np.array(p), np.array([True, False]), np.array(weights), bins)
