"""Calls of encoders that wait to be encoded together, and the order in which they are."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock

import numpy as np

from app.errors import ClientGone, DeadlineExceeded, ModelOutputError
from app.matching.embeddings import Embeddings
from app.matching.ports import Encoder, Pixels
from app.matching.stages import spent
from app.matching.tickets import Ticket, current_ticket


@dataclass(eq=False)
class Call:
    """What one thread hands in and waits for.

    Attributes:
        encoder: what it is to be encoded with.
        pixels: [n, height, width, 3].
        ticket: for whom; None for what runs in the background.
        abandoned: nobody waits for it any more.
    """

    encoder: Encoder
    pixels: Pixels
    ticket: Ticket | None = field(default_factory=current_ticket)
    abandoned: bool = False
    _asked: float = field(default_factory=time.perf_counter)
    _taken: float = 0.0
    _answered: float = 0.0
    _done: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)
    _result: Embeddings | Exception | None = None

    def __post_init__(self) -> None:
        if self.ticket is not None:
            self.ticket.when_cancelled(lambda: self.answer(ClientGone("the client is gone")))

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def answered(self) -> bool:
        """Whether there is a result, or will be none."""
        return self._done.is_set()

    def wait(self, seconds: float) -> bool:
        """Whether it was answered within these seconds."""
        return self._done.wait(seconds)

    def take(self) -> bool:
        """Begin with it, unless nobody waits any more."""
        self._taken = time.perf_counter()
        try:
            if self.ticket is not None:
                self.ticket.check()
        except (ClientGone, DeadlineExceeded) as error:
            self.answer(error)
        if self.abandoned:
            self.answer(ClientGone("nobody waits for it"))
        return not self.answered

    def answer(self, result: Embeddings | Exception) -> None:
        """Hand over embeddings [n, d], or why there are none; only the first answer counts."""
        with self._lock:
            if not self._done.is_set():
                self._answered = time.perf_counter()
                self._result = result
                self._done.set()

    def result(self) -> Embeddings:
        """What was answered, its time counted in the stages of whoever asks; raises what went wrong."""
        taken = self._taken or self._answered
        spent("queue", taken - self._asked)
        spent("encode", self._answered - taken)
        if isinstance(self._result, Exception):
            raise self._result
        if self._result is None:
            raise RuntimeError("it was not answered yet")
        return self._result


class CallQueue:
    """Calls that wait: those of requests before those of what runs in the background, each in the order they came.

    Not safe to use from several threads.
    """

    def __init__(self) -> None:
        self._asked: deque[Call] = deque()
        self._background: deque[Call] = deque()

    def __iter__(self) -> Iterator[Call]:
        yield from self._asked
        yield from self._background

    @property
    def depth(self) -> int:
        """How many pictures of requests wait."""
        return sum(len(call) for call in self._asked if not call.answered)

    @property
    def size(self) -> int:
        """How many pictures wait."""
        return sum(map(len, self))

    def add(self, calls: Sequence[Call]) -> None:
        """Let calls wait."""
        for call in calls:
            (self._background if call.ticket is None else self._asked).append(call)

    def take(self, most: int) -> list[Call]:
        """The next calls of one encoder with so many pictures at most; those that nobody waits for are dropped.

        Calls of requests and of the background are never mixed, so that nobody waits for what can wait.
        """
        return self._take(self._asked, most) or self._take(self._background, most)

    @staticmethod
    def _take(queue: deque[Call], most: int) -> list[Call]:
        batch: list[Call] = []
        others: list[Call] = []
        while queue:
            call = queue.popleft()
            if batch and call.encoder is not batch[0].encoder:
                others.append(call)
            elif batch and len(call) > most:
                others.append(call)
                break
            elif call.take():
                batch.append(call)
                most -= len(call)
        queue.extendleft(reversed(others))
        return batch


def encode_calls(batch: Sequence[Call]) -> Iterator[Exception | None]:
    """Encode calls of one encoder together; if that fails each by itself, so that only those fail that must.

    Yields:
        After each time the encoder was called why it failed, None where it did not.
    """
    try:
        found = _encoded(batch)
    except Exception as error:  # noqa: BLE001 — whatever an encoder raises is its caller's to judge
        if len(batch) == 1:
            batch[0].answer(error)
        yield error
        if len(batch) > 1:
            for call in batch:
                yield from encode_calls([call])
        return
    for call, embeddings in zip(batch, np.split(found, np.cumsum([len(call) for call in batch])[:-1]), strict=True):
        call.answer(embeddings)
    yield None


def _encoded(batch: Sequence[Call]) -> Embeddings:
    pixels = batch[0].pixels if len(batch) == 1 else np.concatenate([call.pixels for call in batch])
    found = batch[0].encoder.encode(pixels)
    if len(found) != len(pixels):
        raise ModelOutputError(f"expected {len(pixels)} embeddings, got {len(found)}")
    return found
