"""Calls of embedders that wait to be answered together, and the order in which they are."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock

from pricematch.encoding.ports import Embedded, Embedder
from pricematch.encoding.tickets import Ticket, current_ticket
from pricematch.errors import ClientGone, DeadlineExceeded, ModelOutputError
from pricematch.search.stages import spent


@dataclass(eq=False)
class Call:
    """What one thread hands in and waits for.

    Attributes:
        embedder: what is to embed them.
        images: n pictures.
        ticket: for whom; None for what runs in the background.
        told: called once it is answered, by whoever answers, and not for long.
        abandoned: nobody waits for it any more.
    """

    embedder: Embedder
    images: Sequence[bytes]
    told: Callable[[], None] | None = None
    ticket: Ticket | None = field(default_factory=current_ticket)
    abandoned: bool = False
    _asked: float = field(default_factory=time.perf_counter)
    _taken: float = 0.0
    _answered: float = 0.0
    _done: Event | None = None
    _lock: Lock = field(default_factory=Lock)
    _result: Embedded | Exception | None = None

    def __post_init__(self) -> None:
        if self.told is None:
            self._done = Event()
        if self.ticket is not None:
            self.ticket.when_cancelled(lambda: self.answer(ClientGone("the client is gone")))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def answered(self) -> bool:
        """Whether there is a result, or will be none."""
        return self._result is not None

    def wait(self, seconds: float) -> bool:
        """Whether it was answered within these seconds; for one who is not told."""
        return self._done is not None and self._done.wait(seconds)

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

    def answer(self, result: Embedded | Exception) -> None:
        """Hand over what became of them, or why nothing did; only the first answer counts."""
        with self._lock:
            if self._result is not None:
                return
            self._answered, self._result = time.perf_counter(), result
            if self._done is not None:
                self._done.set()
            if self.told is not None:
                self.told()

    def result(self) -> Embedded:
        """What was answered, its time counted in the stages of whoever asks, but for decoding; raises what failed."""
        taken = self._taken or self._answered
        spent("queue", taken - self._asked)
        if isinstance(self._result, Exception):
            spent("encode", self._answered - taken)
            raise self._result
        if self._result is None:
            raise RuntimeError("it was not answered yet")
        spent("encode", self._answered - taken - self._result.decode_seconds)
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
        """The next calls of one embedder with so many pictures at most; those that nobody waits for are dropped.

        Calls of requests and of the background are never mixed, so that nobody waits for what can wait.
        """
        return self._take(self._asked, most) or self._take(self._background, most)

    @staticmethod
    def _take(queue: deque[Call], most: int) -> list[Call]:
        batch: list[Call] = []
        others: list[Call] = []
        while queue:
            call = queue.popleft()
            if batch and call.embedder is not batch[0].embedder:
                others.append(call)
            elif batch and len(call) > most:
                others.append(call)
                break
            elif call.take():
                batch.append(call)
                most -= len(call)
        queue.extendleft(reversed(others))
        return batch


def embed_calls(batch: Sequence[Call]) -> Iterator[Exception | None]:
    """Answer calls of one embedder together; if that fails each by itself, so that only those fail that must.

    Yields:
        After each time the embedder was called why it failed, None where it did not.
    """
    try:
        found = _embedded(batch)
    except Exception as error:  # noqa: BLE001 — whatever an embedder raises is its caller's to judge
        if len(batch) == 1:
            batch[0].answer(error)
        yield error
        for call in batch if len(batch) > 1 else ():
            if call.take():  # somebody may have waited long enough by now
                yield from embed_calls([call])
        return
    for call, answer in zip(batch, _shares(found, map(len, batch)), strict=True):
        call.answer(answer)
    yield None


def _embedded(batch: Sequence[Call]) -> Embedded:
    images = [image for call in batch for image in call.images]
    found = batch[0].embedder.embed(images)
    good = sum(error is None for error in found.errors)
    if len(found.errors) != len(images) or len(found.embeddings) != good:
        raise ModelOutputError(f"expected {len(images)} embeddings, got {len(found.embeddings)}")
    return found


def _shares(found: Embedded, lengths: Iterable[int]) -> Iterator[Embedded]:
    """What became of consecutive pieces of a batch; each has waited until all of it was decoded."""
    first = row = 0
    for length in lengths:
        errors = found.errors[first : first + length]
        good = sum(error is None for error in errors)
        yield Embedded(found.embeddings[row : row + good], errors, found.decode_seconds)
        first, row = first + length, row + good
