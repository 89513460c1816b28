"""Bounds how many threads work at the same time, and so the memory that what they work on takes."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock

from pricematch.encoding.tickets import Ticket
from pricematch.search.stages import stage


class Slots:
    """So many threads may hold a slot at the same time; the others wait in the order they came.

    A thread that waits for another one to do something gives its slot up meanwhile, and is the first to get one again.

    Args:
        count: how many, at least 1.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = Lock()
        self._waiting: deque[Lock] = deque()

    @contextmanager
    def held(self, ticket: Ticket) -> Iterator[None]:
        """Hold a slot in the block, once there is one.

        Raises:
            DeadlineExceeded: there was none in time.
            ClientGone: nobody waits any more.
        """
        with stage("queue"):
            self._take(ticket)
        token = _held.set(self)
        try:
            ticket.check()
            yield
        finally:
            _held.reset(token)
            self._give()

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """Be without the slot in the block."""
        self._give()
        try:
            yield
        finally:
            with stage("queue"):
                self._take(None)

    def _take(self, ticket: Ticket | None) -> None:
        """Wait for a slot; without a ticket, in front of all others and however long it takes."""
        turn = None
        while True:
            with self._lock:
                if self._free:
                    self._free -= 1
                    return
                again, turn = turn is not None, Lock()
                turn.acquire()
                (self._waiting.appendleft if again or ticket is None else self._waiting.append)(turn)
            if not turn.acquire(timeout=-1 if ticket is None else ticket.left) and ticket is not None:
                self._leave(turn)
                raise ticket.late()

    def _leave(self, turn: Lock) -> None:
        """Wait no longer; a slot that was given back at the last moment is for the next one."""
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif self._waiting:
                self._waiting.popleft().release()

    def _give(self) -> None:
        """Give a slot back, and wake one who waits: whoever is there first takes it, which spares threads a wait."""
        with self._lock:
            self._free += 1
            if self._waiting:
                self._waiting.popleft().release()


_held: ContextVar[Slots | None] = ContextVar("slots", default=None)


@contextmanager
def slot_given_up() -> Iterator[None]:
    """Be without the slot that this thread holds, if it holds one: it only waits."""
    slots = _held.get()
    if slots is None:
        yield
    else:
        with slots.given_up():
            yield
