"""Does the work of a request in threads, as long as somebody waits for it."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from fastapi import Request

from pricematch.api.state import State
from pricematch.encoding.ahead import embedded_ahead
from pricematch.encoding.batching import BatchingEmbedder
from pricematch.encoding.picture_encoder import PictureEncoder
from pricematch.encoding.ports import Embedded
from pricematch.encoding.slots import Slots
from pricematch.encoding.tickets import Ticket, ticketed

T = TypeVar("T")
_WATCH_SECONDS = 0.1
"""After which somebody looks whether the client still waits; most requests are answered by then."""


def state_of(request: Request) -> State:
    """What the application's lifespan made."""
    state: State = request.state.app
    return state


class Worker:
    """Runs blocking work in a thread, a bounded number at a time, and measures how long a request takes."""

    def __init__(self, request: Request) -> None:
        self._request, self._state = request, state_of(request)
        self._started = time.perf_counter()
        self._ticket: Ticket | None = None
        self._watching: asyncio.Task[None] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`.

        Raises:
            Overloaded: too many are waiting already.
            DeadlineExceeded: it took longer than a request may.
            ClientGone: nobody waits for it any more.
        """
        return await self._run(work, self._state.slots)

    async def run_embedded(
        self, work: Callable[[], T], images: Sequence[bytes], encoders: Sequence[PictureEncoder], *, quick: bool
    ) -> T:
        """The result of `work`, which needs embeddings: a thread is taken once they are there.

        Args:
            work: embeds the pictures with the encoders, which is then done.
            images: the pictures.
            encoders: what is to embed them; those that do not batch are asked by `work` itself.
            quick: all that `work` does else takes less time than to hand it to a thread.

        Raises:
            Overloaded, DeadlineExceeded, ClientGone: as `run`.
            ModelOutputError, NotReady: the encoder fails, or hangs.
        """
        self._state.admission.enter(again=False)
        ticket = self._ticket = Ticket(self._state.service.settings.request_seconds)
        try:
            batching = {it.key: it.embedder for it in encoders if isinstance(it.embedder, BatchingEmbedder)}
            found = {key: await self._embedded(embedder, images, ticket) for key, embedder in batching.items()}
        finally:
            self._state.admission.leave()
        with embedded_ahead(images, found):
            return work() if quick and len(found) == len(encoders) > 0 else await self.run(work)

    async def keep(self, work: Callable[[], T]) -> T:
        """The result of short work on what is stored, which does not wait for pictures to be decoded."""
        return await asyncio.get_running_loop().run_in_executor(self._state.keepers, copy_context().run, work)

    async def run_alone(self, work: Callable[[], T]) -> T:
        """The result of `work` that may take seconds: one at a time, and matches are answered meanwhile.

        Raises:
            Overloaded, DeadlineExceeded, ClientGone: as `run`.
        """
        return await self._run(work, self._state.alone)

    def took_ms(self) -> float:
        """Milliseconds since the request arrived here."""
        return round((time.perf_counter() - self._started) * 1e3, 3)

    async def _run(self, work: Callable[[], T], slots: Slots) -> T:
        self._state.admission.enter(again=self._ticket is not None)
        ticket = self._ticket = self._ticket or Ticket(self._state.service.settings.request_seconds)
        answered = self._handed_over(work, slots, ticket)
        with self._waiting(answered, ticket):
            return await answered

    async def _embedded(self, embedder: BatchingEmbedder, images: Sequence[bytes], ticket: Ticket) -> Embedded:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[None] = loop.create_future()

        def look() -> None:
            if begun.done:
                _succeed(answered, None)

        def told() -> None:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits
                loop.call_soon_threadsafe(look)

        with ticketed(ticket):
            begun = embedder.begin(images, told)
        try:
            with self._waiting(answered, ticket):
                await answered
        finally:
            begun.abandon()
        return begun.result()

    @contextmanager
    def _waiting(self, answered: "asyncio.Future[T]", ticket: Ticket) -> Iterator[None]:
        """Let an answer fail at the deadline, and look now and then whether the client still waits."""
        loop = asyncio.get_running_loop()
        late = loop.call_later(ticket.left, lambda: _fail(answered, ticket.late()))
        watch = loop.call_later(_WATCH_SECONDS, self._watch, ticket)
        try:
            yield
        finally:
            late.cancel()
            watch.cancel()
            if self._watching is not None:
                self._watching.cancel()

    def _handed_over(self, work: Callable[[], T], slots: Slots, ticket: Ticket) -> "asyncio.Future[T]":
        """What will be known once a thread has done the work; a future of the pool's would be handed on twice."""
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[T] = loop.create_future()

        def worked() -> None:
            try:
                with ticketed(ticket), slots.held(ticket):
                    result = work()
            except BaseException as error:  # noqa: BLE001 — whoever awaits it gets it
                tell = partial(_fail, answered, error)
            else:
                tell = partial(_succeed, answered, result)
            finally:
                self._state.admission.leave()
            with suppress(RuntimeError):  # the loop is closed, and nobody waits
                loop.call_soon_threadsafe(tell)

        self._state.threads.submit(copy_context().run, worked)
        return answered

    def _watch(self, ticket: Ticket) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._cancel_when_gone(ticket))

    async def _cancel_when_gone(self, ticket: Ticket) -> None:
        """Wait until the client hangs up; the request's body was read, or there is none."""
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        ticket.cancel()


def _succeed(answered: "asyncio.Future[T]", result: T) -> None:
    if not answered.done():
        answered.set_result(result)


def _fail(answered: "asyncio.Future[T]", error: BaseException) -> None:
    if not answered.done():
        answered.set_exception(error)
