"""Token buckets, on a clock that the test sets."""

import random

from pricematch.api.rates import Rates
from tests.support.clock import Clock


def test_a_burst_is_let_through_and_then_as_many_as_come_back() -> None:
    clock = Clock()
    rates = Rates(2.0, 3, clock)
    assert [rates.take("a") for _ in range(3)] == [0, 0, 0]
    assert rates.take("a") == 0.5
    clock.now += 0.25
    assert rates.take("a") == 0.25
    clock.now += 0.25
    assert rates.take("a") == 0
    clock.now += 1000
    assert [rates.take("a") > 0 for _ in range(4)] == [False, False, False, True]


def test_callers_do_not_share_a_bucket() -> None:
    rates = Rates(1.0, 1, Clock())
    assert rates.take("a") == rates.take("b") == 0
    assert rates.take("a") > 0


def test_over_any_time_no_more_pass_than_the_burst_and_what_came_back() -> None:
    draw, clock = random.Random(0), Clock()
    rates, passed, began = Rates(5.0, 7, clock), 0, clock.now
    for _ in range(5000):
        clock.now += draw.expovariate(20)
        passed += rates.take("a") == 0
        assert passed <= 7 + 5 * (clock.now - began) + 1e-6
    assert passed > 0.99 * (7 + 5 * (clock.now - began)) - 1


def test_fault_44_callers_without_end_take_no_memory_without_end() -> None:
    rates = Rates(1.0, 1, Clock(), max_callers=100)
    for number in range(1000):
        assert rates.take(number) == 0
    assert len(rates) == 100
    assert rates.take(999) > 0
    assert rates.take(0) == 0
