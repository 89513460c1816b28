"""How long somebody waits, and whether anybody still does."""

import time

import pytest

from pricematch.encoding.tickets import Ticket, current_ticket, ticketed
from pricematch.errors import ClientGone, DeadlineExceeded


def test_a_ticket_is_good_until_its_time_is_over() -> None:
    ticket = Ticket(0.05)
    ticket.check()
    assert 0 < ticket.left <= 0.05
    time.sleep(0.06)
    assert ticket.left == 0
    with pytest.raises(DeadlineExceeded, match=r"0\.05 s"):
        ticket.check()


def test_a_cancelled_ticket_is_good_for_nothing() -> None:
    ticket = Ticket(60)
    ticket.cancel()
    with pytest.raises(ClientGone):
        ticket.check()


def test_who_has_to_know_is_told_when_a_ticket_is_cancelled_or_at_once_if_it_was() -> None:
    ticket = Ticket(60)
    told: list[str] = []
    ticket.when_cancelled(lambda: told.append("before"))
    assert told == []
    ticket.cancel()
    ticket.when_cancelled(lambda: told.append("after"))
    assert told == ["before", "after"]


def test_the_current_ticket_is_that_of_the_innermost_block() -> None:
    outer, inner = Ticket(60), Ticket(60)
    with ticketed(outer):
        with ticketed(inner):
            assert current_ticket() is inner
        assert current_ticket() is outer
    assert current_ticket() is None


def test_fault_43_a_clock_that_jumps_changes_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = Ticket(60)
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 59 < ticket.left <= 60
    ticket.check()
