"""Who is let through."""

import random
from typing import Any

import pytest

from pricematch.api.guard import Guard, Rates
from pricematch.api.keys import KeyRing, Scope, new_key
from pricematch.errors import Forbidden, RateExceeded, Unauthenticated
from pricematch.settings import Settings
from tests.support.clock import Clock

KEY, KEPT = new_key("shop", "write")


def guard(clock: Clock | None = None, **settings: Any) -> Guard:
    """A guard who knows one key, of scope write."""
    return Guard(Settings(**settings), KeyRing([KEPT]), clock or Clock())


def test_a_known_key_gets_what_its_scope_covers() -> None:
    for scope in ("read", "write"):
        assert guard().admit(scope, KEY, "203.0.113.9") == "shop"
    with pytest.raises(Forbidden, match="takes a key of scope admin, got one of scope write"):
        guard().admit("admin", KEY, "203.0.113.9")


@pytest.mark.parametrize(
    "key",
    [None, "", "wrong", KEY + "x", KEY.upper(), "x" * 10_000_000, "é", "\x00"],
    ids=["none", "empty", "wrong", "longer", "other case", "huge", "not ASCII", "NUL"],
)
def test_fault_44_a_missing_or_wrong_key_is_refused_and_never_quoted(key: str | None) -> None:
    with pytest.raises(Unauthenticated) as refused:
        guard().admit("read", key, "203.0.113.9")
    assert len(str(refused.value)) < 100
    if key:
        assert key not in str(refused.value)


def test_fault_44_of_ten_thousand_wrong_keys_few_are_looked_at_and_right_ones_go_on() -> None:
    guarding, told = guard(), 0
    for number in range(10_000):
        with pytest.raises((Unauthenticated, RateExceeded)) as refused:
            guarding.admit("read", f"wrong {number}", "203.0.113.9")
        told += refused.type is Unauthenticated
    assert told == Settings().refusals_at_once
    assert guarding.admit("read", KEY, "203.0.113.9") == "shop"
    with pytest.raises(Unauthenticated):
        guarding.admit("read", None, "203.0.113.10")


def test_fault_44_from_ten_thousand_addresses_together_they_are_limited_as_well() -> None:
    guarding, told = guard(), 0
    for number in range(10_000):
        with pytest.raises((Unauthenticated, RateExceeded)) as refused:
            guarding.admit("read", "wrong", f"198.51.{number // 250}.{number % 250}")
        told += refused.type is Unauthenticated
    assert told == Settings().refusals_at_once * 50


def test_one_ipv6_customer_is_one_address() -> None:
    guarding = guard(refusals_at_once=1)
    with pytest.raises(Unauthenticated):
        guarding.admit("read", None, "2001:db8::1")
    with pytest.raises(RateExceeded):
        guarding.admit("read", None, "2001:db8::ffff")
    with pytest.raises(Unauthenticated):
        guarding.admit("read", None, "2001:db8:0:1::1")


def test_those_who_come_by_ipv4_to_an_address_of_ipv6_are_each_one_address() -> None:
    guarding = guard(refusals_at_once=1)
    for address in ("::ffff:203.0.113.1", "::ffff:203.0.113.2"):
        with pytest.raises(Unauthenticated):
            guarding.admit("read", None, address)
    with pytest.raises(RateExceeded):
        guarding.admit("read", None, "203.0.113.1")


def test_a_key_may_ask_so_often_from_wherever_and_is_told_when_it_may_again() -> None:
    clock = Clock()
    guarding = guard(clock, requests_per_second=2.0, requests_at_once=2)
    for address in ("203.0.113.1", "203.0.113.2"):
        guarding.admit("read", KEY, address)
    with pytest.raises(RateExceeded) as refused:
        guarding.admit("read", KEY, "203.0.113.3")
    assert refused.value.retry_after == 0.5
    clock.now += 0.5
    guarding.admit("read", KEY, "203.0.113.3")


@pytest.mark.parametrize("scope", ["read", "write", "admin"])
def test_without_keys_everybody_may_and_addresses_are_limited_but_not_this_machine(scope: Scope) -> None:
    guarding = Guard(Settings(requests_at_once=1), KeyRing([]), Clock())
    for address in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "", "unix"):
        for _ in range(5):
            assert guarding.admit(scope, None, address) is None
    assert guarding.admit(scope, "whatever", "203.0.113.1") is None
    with pytest.raises(RateExceeded):
        guarding.admit(scope, None, "203.0.113.1")


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
