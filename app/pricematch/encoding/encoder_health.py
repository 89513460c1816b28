"""Whether encoders still answer: those that hang, and those that fail again and again."""

import time
from collections.abc import Iterable, Sequence

from pricematch.encoding.encoder_calls import Call

_MOST_FAILURES = 3
"""Failures in a row after which encoders are said to be broken,"""
_REST_SECONDS = 10.0
"""for so long after the last one: somebody has to try whether they are well again."""


class Lane:
    """A thread that encodes.

    Attributes:
        batch: what it is at.
        since: when it called its encoder, in seconds of the monotonic clock; None while it waits.
        lost: whether another thread has taken its place.
    """

    def __init__(self) -> None:
        self.batch: Sequence[Call] = []
        self.since: float | None = None
        self.lost = False

    def began(self, batch: Sequence[Call] | None = None) -> None:
        """It calls an encoder now, for this batch or a part of the one it has."""
        self.batch = self.batch if batch is None else batch
        self.since = time.monotonic()

    def rests(self) -> None:
        """It waits for something to do."""
        self.batch, self.since = [], None

    def busy(self, seconds: float) -> bool:
        """Whether it has been at it for longer than that."""
        return self.since is not None and time.monotonic() - self.since > seconds


class EncoderHealth:
    """What became of calls of encoders. Not safe to use from several threads.

    Args:
        hang_seconds: how long an encoder may take for a batch before it is said to hang.
    """

    def __init__(self, hang_seconds: float) -> None:
        self._hang_seconds = hang_seconds
        self._silent_since: float | None = None
        self._failures, self._failed = 0, 0.0

    def note(self, error: Exception | None) -> None:
        """An encoder answered, or failed."""
        self._silent_since = None
        self._failures = 0 if error is None else self._failures + 1
        self._failed = time.monotonic()

    def lose(self, lane: Lane) -> None:
        """A thread did not come back."""
        self._silent_since = lane.since

    def trouble(self, lanes: Iterable[Lane]) -> str | None:
        """Why nothing can be encoded now; None if something can."""
        now = time.monotonic()
        silent = [lane.since for lane in lanes if lane.since is not None and lane.busy(self._hang_seconds)]
        if self._silent_since is not None:
            silent.append(self._silent_since)
        if silent:
            return f"the encoder has not answered for {now - min(silent):.0f} s"
        if self._failures >= _MOST_FAILURES and now - self._failed < _REST_SECONDS:
            return f"the encoder has failed {self._failures} times in a row"
        return None
