"""Encodes together what several threads want encoded at the same time.

One thread encodes; while it does, the next batch gathers. Nobody waits for company: whatever is there is taken. A
network needs little longer for 32 pictures than for a few, so the more is asked, the less each picture costs.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Protocol

import numpy as np

from app.errors import DeadlineExceeded, NotReady, Overloaded
from app.matching.embeddings import Embeddings
from app.matching.encoder_calls import Call, CallQueue, encode_calls
from app.matching.ingest import BATCH
from app.matching.ports import Encoder, Pixels
from app.matching.slots import slot_given_up

_MOST_THREADS = 4
"""Threads that may be lost in an encoder that never answers, the last one included."""
_MOST_FAILURES = 3
"""Failures in a row after which the encoder is said to be broken,"""
_REST_SECONDS = 10.0
"""for so long after the last one: somebody has to try whether it is well again."""


class BatchObserver(Protocol):
    """Is told what a batcher does. Called by several threads, and must not take long."""

    def observe_batch(self, size: int) -> None:
        """So many pictures are encoded together."""
        ...

    def set_queue_depth(self, depth: int) -> None:
        """So many pictures of requests wait to be encoded."""
        ...


class Unobserved:
    """Implements `BatchObserver` for when nobody looks."""

    def observe_batch(self, size: int) -> None:
        """Nothing."""

    def set_queue_depth(self, depth: int) -> None:
        """Nothing."""


class Batcher:
    """Encodes in one thread what others hand in. Safe to use from several threads.

    Args:
        max_batch: pictures that are encoded together, at most.
        max_waiting: pictures of requests that may wait; what has none before it may be more.
        hang_seconds: how long an encoder may take for a batch before it is said to hang.
        observer: is told of batches and of those who wait.
    """

    def __init__(
        self,
        *,
        max_batch: int = BATCH,
        max_waiting: int = 256,
        hang_seconds: float = 30.0,
        observer: BatchObserver | None = None,
    ) -> None:
        self._max_batch, self._max_waiting, self._hang_seconds = max_batch, max_waiting, hang_seconds
        self._observer: BatchObserver = observer or Unobserved()
        self._changed = Condition()
        self._calls = CallQueue()
        self._closed = False
        self._thread = 0
        self._batch: list[Call] = []
        self._busy_since: float | None = None
        self._silent_since: float | None = None
        self._failures, self._failed = 0, 0.0
        self._start()

    def over(self, encoder: Encoder) -> "BatchingEncoder":
        """An encoder that gives what this one gives, together with what others ask."""
        return BatchingEncoder(encoder, self)

    def encode(self, encoder: Encoder, pixels: Pixels) -> Embeddings:
        """Embeddings [n, d] of a batch [n, height, width, 3], for the current ticket's holder or in the background.

        Raises:
            Overloaded: too many wait already.
            DeadlineExceeded: there was no answer in time.
            ClientGone: nobody waits for it any more.
            NotReady: the encoder hangs, or the service stops.
            ModelOutputError: as `Encoder.encode`.
        """
        pieces = range(0, len(pixels), self._max_batch)
        calls = [Call(encoder, pixels[first : first + self._max_batch]) for first in pieces]
        if not calls:
            return np.empty((0, encoder.dimension), np.float32)
        self._hand_in(calls)
        try:
            with slot_given_up():
                for call in calls:
                    self._wait(call)
        finally:
            for call in calls:
                call.abandoned = True
        return np.concatenate([call.result() for call in calls])

    def trouble(self) -> str | None:
        """Why nothing can be encoded now; None if something can."""
        with self._changed:
            now = time.monotonic()
            if self._silent_since is not None and now - self._silent_since > self._hang_seconds:
                return f"the encoder has not answered for {now - self._silent_since:.0f} s"
            if self._failures >= _MOST_FAILURES and now - self._failed < _REST_SECONDS:
                return f"the encoder has failed {self._failures} times in a row"
            return None

    def close(self) -> None:
        """Encode nothing any more; who waits is told so."""
        with self._changed:
            self._closed = True
            for call in self._calls:
                call.answer(_stopping())
            self._calls = CallQueue()
            self._changed.notify_all()

    def _hand_in(self, calls: list[Call]) -> None:
        with self._changed:
            if self._closed:
                raise _stopping()
            self._replace_if_hanging()
            depth = self._calls.depth
            more = sum(map(len, calls))
            if calls[0].ticket is not None and depth and depth + more > self._max_waiting:
                raise Overloaded(f"{depth} pictures wait to be encoded")
            self._calls.add(calls)
            self._changed.notify()
        self._observer.set_queue_depth(depth + more)

    def _wait(self, call: Call) -> None:
        if call.ticket is not None:
            if not call.wait(call.ticket.left):
                raise call.ticket.late()
            return
        while not call.wait(self._hang_seconds):
            if (trouble := self.trouble()) is not None:
                raise DeadlineExceeded(trouble)

    def _replace_if_hanging(self) -> None:
        """Go on in another thread if the one there is does not come back; its calls have failed."""
        if self._busy_since is None or time.monotonic() - self._busy_since <= self._hang_seconds:
            return
        if self._thread == _MOST_THREADS:
            raise NotReady("the encoder does not answer")
        for call in self._batch:
            call.answer(DeadlineExceeded(f"the encoder took longer than {self._hang_seconds:g} s"))
        self._start()

    def _start(self) -> None:
        self._busy_since = None
        self._thread += 1
        Thread(target=self._work, args=(self._thread,), daemon=True, name="encode").start()

    def _work(self, thread: int) -> None:
        while batch := self._next(thread):
            self._observer.observe_batch(sum(map(len, batch)))
            for error in encode_calls(batch):
                if not self._note(thread, error):
                    return

    def _next(self, thread: int) -> list[Call]:
        """The next batch, once there is one; none if it is another thread's to encode, or nobody's."""
        with self._changed:
            while not self._closed and thread == self._thread:
                self._busy_since = None
                if batch := self._calls.take(self._max_batch):
                    self._batch, self._busy_since = batch, time.monotonic()
                    self._silent_since = self._silent_since or self._busy_since
                    self._observer.set_queue_depth(self._calls.depth)
                    return batch
                self._changed.wait()
            return []

    def _note(self, thread: int, error: Exception | None) -> bool:
        """Remember how a call of the encoder went; whether this thread should go on."""
        with self._changed:
            if thread != self._thread:
                return False
            now = time.monotonic()
            self._failures, self._failed = (0, 0.0) if error is None else (self._failures + 1, now)
            self._busy_since, self._silent_since = now, None
            return True


@dataclass(frozen=True, eq=False)
class BatchingEncoder:
    """Implements `ports.Encoder` around another one, through a batcher.

    Attributes:
        inner: the other one.
        batcher: asks it.
    """

    inner: Encoder
    batcher: Batcher

    @property
    def dimension(self) -> int:
        """Length d of an embedding."""
        return self.inner.dimension

    @property
    def versions(self) -> Mapping[str, str]:
        """Name and version of each model involved."""
        return self.inner.versions

    def encode(self, pixels: Pixels) -> Embeddings:
        """Embeddings [n, d]; see `Batcher.encode`."""
        return self.batcher.encode(self.inner, pixels)


def _stopping() -> NotReady:
    return NotReady("the service is stopping")
