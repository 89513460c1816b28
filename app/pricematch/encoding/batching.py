"""Embeds together what several threads want embedded at the same time.

A network takes less time for a picture among many than for one alone. A thread that has nothing to do takes whatever is
there at once; while all are busy, the next batch gathers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Condition, Thread

import numpy as np

from pricematch.encoding.batch_observer import BatchObserver, Unobserved
from pricematch.encoding.encoder_calls import Call, CallQueue, embed_calls
from pricematch.encoding.encoder_health import EncoderHealth, Lane
from pricematch.encoding.ports import Embedded, Embedder
from pricematch.encoding.slots import slot_given_up
from pricematch.errors import DeadlineExceeded, NotReady, Overloaded

BATCH = 16
"""Pictures that are embedded together, at most: more make nothing cheaper, and others wait for longer."""
_MOST_LOST = 4
"""Threads that are given up in encoders that never answer; beyond, the others are waited for."""


class Batcher:
    """Embeds in threads of its own what others hand in. Safe to use from several threads.

    Args:
        threads: batches that are embedded at the same time.
        max_batch: pictures that are embedded together, at most.
        max_waiting: pictures of requests that may wait; a request that none waits before may bring more.
        hang_seconds: how long an encoder may take for a batch before it is said to hang.
        observer: is told of batches and of those who wait.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
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
        self._health = EncoderHealth(hang_seconds)
        self._lanes: list[Lane] = []
        self._lost = 0
        for _ in range(threads):
            self._start()

    def over(self, embedder: Embedder) -> "BatchingEmbedder":
        """An embedder that gives what this one gives, together with what others ask."""
        return BatchingEmbedder(embedder, self)

    def embed(self, embedder: Embedder, images: Sequence[bytes]) -> Embedded:
        """What becomes of some pictures, for the current ticket's holder or in the background.

        Raises:
            Overloaded: too many wait already.
            DeadlineExceeded: there was no answer in time.
            ClientGone: nobody waits for it any more.
            NotReady: the encoder hangs, or the service stops.
            ModelOutputError: as `Embedder.embed`.
        """
        begun = self.begin(embedder, images)
        try:
            with slot_given_up():
                for call in begun.calls:
                    self._wait(call)
        finally:
            begun.abandon()
        return begun.result()

    def begin(self, embedder: Embedder, images: Sequence[bytes], told: Callable[[], None] | None = None) -> "Begun":
        """Have pictures embedded without waiting for it, for the current ticket's holder or in the background.

        Args:
            embedder: is to embed them.
            images: the pictures.
            told: called whenever a part of them is done, from another thread, and not for long.

        Raises:
            Overloaded, NotReady: as `embed`.
        """
        pieces = range(0, len(images), self._max_batch)
        calls = [Call(embedder, images[first : first + self._max_batch], told) for first in pieces]
        if calls:
            self._hand_in(calls)
        return Begun(embedder, calls)

    def trouble(self) -> str | None:
        """Why nothing can be embedded now; None if something can."""
        with self._changed:
            return self._health.trouble(self._lanes)

    def close(self) -> None:
        """Embed nothing any more; who waits is told so."""
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
            self._replace_hanging()
            waiting, more = self._calls.depth, sum(map(len, calls))
            if calls[0].ticket is not None and waiting and waiting + more > self._max_waiting:
                raise Overloaded(f"{waiting} pictures wait to be encoded")
            self._calls.add(calls)
            self._observer.set_queue_depth(self._calls.depth)
            self._changed.notify()

    def _wait(self, call: Call) -> None:
        if call.ticket is not None:
            if not call.wait(call.ticket.left):
                raise call.ticket.late()
            return
        while not call.wait(self._hang_seconds):
            if (trouble := self.trouble()) is not None:
                raise DeadlineExceeded(trouble)

    def _replace_hanging(self) -> None:
        """Let other threads take the place of those that do not come back; raises NotReady if there are none left."""
        hanging = [lane for lane in self._lanes if lane.busy(self._hang_seconds)]
        for lane in hanging[: _MOST_LOST - self._lost]:
            lane.lost = True
            self._lost += 1
            self._health.lose(lane)
            for call in lane.batch:
                call.answer(DeadlineExceeded(f"the encoder took longer than {self._hang_seconds:g} s"))
            self._lanes.remove(lane)
            self._start()
        if all(lane.busy(self._hang_seconds) for lane in self._lanes):
            raise NotReady(self._health.trouble(self._lanes) or "the encoder does not answer")

    def _start(self) -> None:
        lane = Lane()
        self._lanes.append(lane)
        Thread(target=self._work, args=(lane,), daemon=True, name="encode").start()

    def _work(self, lane: Lane) -> None:
        while batch := self._next(lane):
            self._observer.observe_batch(sum(map(len, batch)))
            for error in embed_calls(batch):
                with self._changed:
                    if lane.lost:
                        return
                    self._health.note(error)
                    lane.began()

    def _next(self, lane: Lane) -> list[Call]:
        """The next batch, once there is one; none if another thread takes it, or nobody does."""
        with self._changed:
            lane.rests()
            while not (self._closed or lane.lost):
                if batch := self._calls.take(self._max_batch):
                    lane.began(batch)
                    self._observer.set_queue_depth(self._calls.depth)
                    return batch
                self._changed.wait()
            return []


@dataclass(frozen=True, eq=False)
class Begun:
    """Pictures that a batcher was given.

    Attributes:
        embedder: embeds them.
        calls: they, in order.
    """

    embedder: Embedder
    calls: Sequence[Call]

    @property
    def done(self) -> bool:
        """Whether there is a result, or will be none."""
        return all(call.answered for call in self.calls)

    def abandon(self) -> None:
        """Nobody waits any more for what is not done."""
        for call in self.calls:
            call.abandoned = True

    def result(self) -> Embedded:
        """What has become of them; raises what went wrong. Their time is counted in the stages of whoever asks."""
        if not self.calls:
            return Embedded(np.empty((0, self.embedder.dimension), np.float32), [], 0.0)
        found = [call.result() for call in self.calls]
        return Embedded(
            np.concatenate([one.embeddings for one in found]),
            [error for one in found for error in one.errors],
            sum(one.decode_seconds for one in found),
        )


@dataclass(frozen=True, eq=False)
class BatchingEmbedder:
    """Implements `ports.Embedder` around another one, through a batcher.

    Attributes:
        inner: the other one.
        batcher: asks it.
    """

    inner: Embedder
    batcher: Batcher

    @property
    def dimension(self) -> int:
        """Length d of an embedding."""
        return self.inner.dimension

    @property
    def versions(self) -> Mapping[str, str]:
        """Name and version of each model involved."""
        return self.inner.versions

    def embed(self, images: Sequence[bytes]) -> Embedded:
        """See `Batcher.embed`."""
        return self.batcher.embed(self.inner, images)

    def begin(self, images: Sequence[bytes], told: Callable[[], None]) -> Begun:
        """See `Batcher.begin`."""
        return self.batcher.begin(self.inner, images, told)


def _stopping() -> NotReady:
    return NotReady("the service is stopping")
