"""Whether what was learned is better than the default and each signal."""

import numpy as np
import pytest

from pricematch.learning.comparison import compared, mean_gain

GROUPS = np.repeat(np.arange(20), 2).astype(np.intp)


def constant(value: float) -> np.ndarray:
    return np.full(40, value)


def test_a_sure_gain_over_all_is_better() -> None:
    found = compared(constant(0.7), {"default": constant(0.6), "hash": constant(0.65)}, GROUPS)
    assert found.better
    assert found.groups == 20


@pytest.mark.parametrize("lucky", [1, 2])
def test_a_gain_that_may_be_luck_is_none(lucky: int) -> None:
    learned = constant(0.6)
    learned[: 2 * lucky] = 1.0
    assert not compared(learned, {"default": constant(0.6)}, GROUPS).better


def test_what_equals_the_default_is_not_better() -> None:
    assert not compared(constant(0.6), {"default": constant(0.6), "hash": constant(0.3)}, GROUPS).better


def test_what_a_signal_alone_does_better_is_not_better() -> None:
    found = compared(constant(0.7), {"default": constant(0.6), "hash": constant(0.8)}, GROUPS)
    assert not found.better
    assert str(found) == (
        "mean F1 on 20 held-out label groups 0.700, beside 0.600 by the default matcher (+0.100 ± 0.000), "
        "0.800 by the signal hash alone (-0.100 ± 0.000)"
    )


def test_the_error_of_a_gain_is_that_over_groups() -> None:
    """Postings of one group are one observation, however many they are."""
    one = np.array([1.0, 1.0, 0.0, 0.0])
    _, together = mean_gain(one, np.zeros(4), np.array([0, 0, 1, 1]))
    _, apart = mean_gain(one, np.zeros(4), np.arange(4))
    assert together == pytest.approx(0.5)
    assert apart == pytest.approx(0.5 / np.sqrt(3))


def test_one_group_says_nothing_for_sure() -> None:
    found = compared(constant(0.9), {"default": constant(0.1)}, np.zeros(40, np.intp))
    assert not found.better
