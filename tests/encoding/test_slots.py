"""So many threads work at the same time and no more."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pricematch.encoding.slots import Slots, slot_given_up
from pricematch.encoding.tickets import Ticket
from pricematch.errors import ClientGone, DeadlineExceeded
from pricematch.search.stages import measured
from tests.support.gated_encoder import SAFETY_SECONDS, eventually


class Counted:
    """Work that counts who is at it at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.inside = self.most = 0

    def __enter__(self) -> None:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.inside -= 1


@pytest.mark.parametrize("count", [1, 3])
def test_no_more_threads_than_slots_work_at_the_same_time_and_all_of_them_do_at_last(count: int) -> None:
    slots, counted, rest = Slots(count), Counted(), threading.Event()

    def work(_: int) -> None:
        for _ in range(20):
            with slots.held(Ticket(SAFETY_SECONDS)):
                with counted:
                    rest.wait(0.0001)
                with slot_given_up():
                    rest.wait(0.0001)
                with counted:
                    pass

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(12)))
    assert counted.most == count


def test_a_thread_that_only_waits_makes_room_for_another() -> None:
    slots = Slots(1)
    waits, goes_on = threading.Event(), threading.Event()

    def wait() -> None:
        with slots.held(Ticket(SAFETY_SECONDS)), slot_given_up():
            waits.set()
            assert goes_on.wait(SAFETY_SECONDS)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        assert waits.wait(SAFETY_SECONDS)
        with slots.held(Ticket(SAFETY_SECONDS)):
            goes_on.set()
        waiting.result(SAFETY_SECONDS)


def test_who_gets_no_slot_in_time_is_told_so_and_the_slot_is_not_lost() -> None:
    slots = Slots(1)
    with slots.held(Ticket(SAFETY_SECONDS)), pytest.raises(DeadlineExceeded), slots.held(Ticket(0.02)):
        pytest.fail("there was no slot")
    with slots.held(Ticket(0.02)):
        pass


def test_fault_40_a_request_whose_client_went_away_while_it_waited_for_a_slot_does_nothing() -> None:
    slots, ticket = Slots(1), Ticket(SAFETY_SECONDS)

    def work() -> None:
        with slots.held(ticket):
            pytest.fail("nobody waits for this")

    with ThreadPoolExecutor(1) as pool:
        with slots.held(Ticket(SAFETY_SECONDS)):
            waiting = pool.submit(work)
            eventually(lambda: bool(slots._waiting))
            ticket.cancel()
        with pytest.raises(ClientGone):
            waiting.result(SAFETY_SECONDS)
    with slots.held(Ticket(0.02)):
        pass


def test_work_that_fails_gives_its_slot_back() -> None:
    slots = Slots(1)
    with pytest.raises(ZeroDivisionError), slots.held(Ticket(SAFETY_SECONDS)), slot_given_up():
        raise ZeroDivisionError
    with slots.held(Ticket(0.02)):
        pass


def test_waiting_for_a_slot_counts_as_time_in_the_queue() -> None:
    slots = Slots(1)
    with (
        measured() as stages,
        slots.held(Ticket(SAFETY_SECONDS)),
        pytest.raises(DeadlineExceeded),
        slots.held(Ticket(0.05)),
    ):
        pass
    assert stages.seconds["queue"] >= 0.05


def test_without_slots_there_is_nothing_to_give_up() -> None:
    with slot_given_up():
        pass
