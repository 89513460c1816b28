"""How long somebody waits for what is being done, and whether anybody still does."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock

from pricematch.errors import ClientGone, DeadlineExceeded


class Ticket:
    """A request's patience. Safe to use from several threads.

    Args:
        seconds: how long it may take, from now on.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._cancelled = False
        self._lock = Lock()
        self._told: list[Callable[[], None]] = []

    def cancel(self) -> None:
        """Nobody waits any more."""
        with self._lock:
            self._cancelled = True
        for tell in self._told:
            tell()

    def when_cancelled(self, tell: Callable[[], None]) -> None:
        """Call something, and not for long, once nobody waits any more; at once if nobody does."""
        with self._lock:
            self._told.append(tell)
            cancelled = self._cancelled
        if cancelled:
            tell()

    @property
    def left(self) -> float:
        """Seconds until the deadline; 0 at and after it."""
        return max(0.0, self._deadline - time.monotonic())

    def check(self) -> None:
        """Go on only if somebody still waits.

        Raises:
            ClientGone: it was cancelled.
            DeadlineExceeded: its time is over.
        """
        if self._cancelled:
            raise ClientGone("the client is gone")
        if self.left == 0:
            raise self.late()

    def late(self) -> DeadlineExceeded:
        """What to say when its time is over."""
        return DeadlineExceeded(f"it took longer than {self._seconds:g} s")


_current: ContextVar[Ticket | None] = ContextVar("ticket", default=None)


@contextmanager
def ticketed(ticket: Ticket) -> Iterator[None]:
    """What is done in the block is done for the ticket's holder."""
    token = _current.set(ticket)
    try:
        yield
    finally:
        _current.reset(token)


def current_ticket() -> Ticket | None:
    """For whom something is being done; None for what runs in the background and has all the time in the world."""
    return _current.get()
