"""Calibrations as maps: their order, their ends, their descriptions."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.pairs.calibration import ISOTONIC, MAX_KNOTS, PLATT, Calibration, log_odds

LINE = Calibration(PLATT, (0.0,), (0.25,), 0.9)
STEPS = Calibration(ISOTONIC, (-3.0, 0.0, 2.0), (-4.0, -1.0, 5.0), 1.0)
BOTH = pytest.mark.parametrize("calibration", [LINE, STEPS])


def test_platt_is_a_line_in_log_odds() -> None:
    for raw in (0.01, 0.3, 0.9):
        expected = 1 / (1 + math.exp(-(0.9 * math.log(raw / (1 - raw)) + 0.25)))
        assert LINE(np.array([raw]))[0] == pytest.approx(expected)


def test_isotonic_is_straight_between_knots_and_beyond_them() -> None:
    x = np.array([-5.0, -3.0, -1.5, 0.0, 1.0, 2.0, 4.0])
    expected = np.array([-6.0, -4.0, -2.5, -1.0, 2.0, 5.0, 7.0])
    np.testing.assert_allclose(STEPS(1 / (1 + np.exp(-x))), 1 / (1 + np.exp(-expected)))


@BOTH
def test_every_answer_is_above_0_and_below_1(calibration: Calibration) -> None:
    answers = calibration(np.array([0.0, 1e-300, 1e-12, 0.5, 1 - 1e-12, np.nextafter(1, 0), 1.0]))
    assert (answers > 0).all()
    assert (answers < 1).all()
    steep = Calibration(PLATT, (0.0,), (0.0,), 1e6)(np.array([0.0, 1.0]))
    assert 0 < steep[0] < steep[1] < 1


@BOTH
@given(scores=st.lists(st.floats(1e-6, 1 - 1e-6), min_size=2, max_size=30))
def test_different_scores_keep_their_order_and_stay_different(calibration: Calibration, scores: list[float]) -> None:
    ordered = np.unique(np.round(scores, 9))
    assert (np.diff(calibration(ordered)) > 0).all()


@BOTH
@given(scores=st.lists(st.floats(0, 1), max_size=30))
def test_no_higher_score_ever_gets_a_lower_probability(calibration: Calibration, scores: list[float]) -> None:
    assert (np.diff(calibration(np.sort(np.array(scores, np.float64)))) >= 0).all()


@pytest.mark.parametrize("score", [-0.1, 1.1, math.nan, math.inf])
def test_a_score_out_of_range_is_refused(score: float) -> None:
    with pytest.raises(ValueError, match="raw scores from 0 to 1"):
        LINE(np.array([0.5, score]))


def test_log_odds_are_finite_and_odd() -> None:
    raw = np.array([0.0, 0.1, 0.5, 0.9, 1.0])
    np.testing.assert_allclose(log_odds(raw), -log_odds(1 - raw), atol=1e-4)
    assert log_odds(raw)[1] == pytest.approx(math.log(1 / 9))


@BOTH
def test_a_calibration_survives_json(calibration: Calibration) -> None:
    assert Calibration.from_description(json.loads(json.dumps(calibration.describe()))) == calibration


def test_knots_as_near_as_floats_keep_the_order() -> None:
    near = Calibration(ISOTONIC, (0.0, 5e-324, 1.0), (-20.0, 20.0, 20.5), 1.0)
    answers = near(np.array([0.2, 0.5, np.nextafter(0.5, 1), 0.6, 0.9]))
    assert (np.diff(answers) >= 0).all()
    assert answers[1] < 1e-6 < 1 - 1e-6 < answers[2]


def test_nothing_that_is_no_calibration_is_taken_for_one() -> None:
    whole = STEPS.describe()
    for change, reason in (
        ({"method": "guess"}, "by platt or isotonic, got 'guess'"),
        ({"method": ["platt"]}, "by platt or isotonic"),
        ({"method": PLATT}, "expected 1 to 1 knots, got 3 and 3"),
        ({"slope": 0}, "a slope from 1e-06 to 1e.06, got 0"),
        ({"slope": -1}, "a slope from"),
        ({"slope": 1e-300}, "a slope from"),
        ({"slope": math.nan}, "a slope from"),
        ({"slope": None}, "numbers"),
        ({"slope": True}, "numbers"),
        ({"slope": 10**400}, "finite numbers"),
        ({"log_odds": [1, 2]}, "got 3 and 2"),
        ({"log_odds": [1, 1, 2]}, "ascending"),
        ({"raw_log_odds": [2, 1, 0]}, "ascending"),
        ({"raw_log_odds": [0, 1, math.inf]}, "at most 1e"),
        ({"log_odds": [0, 1, 1e308]}, "at most 1e"),
        ({"slope": 1e308}, "a slope from"),
        ({"raw_log_odds": "012"}, "numbers"),
        ({"raw_log_odds": [], "log_odds": []}, "got 0 and 0"),
        ({"raw_log_odds": [*range(MAX_KNOTS + 1)], "log_odds": [*range(MAX_KNOTS + 1)]}, "1 to 256 knots"),
        ({"more": 1}, "with method, raw_log_odds"),
    ):
        with pytest.raises(ValueError, match=reason):
            Calibration.from_description(whole | change)
    others: tuple[object, ...] = (None, [], "platt", {})
    for nonsense in others:
        with pytest.raises(ValueError, match="expected a calibration"):
            Calibration.from_description(nonsense)


def test_a_share_of_a_calibration_lies_between_it_and_none() -> None:
    raw = np.linspace(0.01, 0.99, 25)
    line = Calibration(PLATT, (0.0,), (1.0,), 2.0)
    np.testing.assert_allclose(line.shrunk(0)(raw), raw, atol=1e-12)
    np.testing.assert_allclose(line.shrunk(1)(raw), line(raw), atol=1e-12)
    np.testing.assert_allclose(log_odds(line.shrunk(0.5)(raw)), 1.5 * log_odds(raw) + 0.5, atol=1e-9)
