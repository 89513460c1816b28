"""Does the work of a request in threads, as long as somebody waits for it."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from fastapi import Request

from app.api.state import State
from app.matching.slots import Slots
from app.matching.tickets import Ticket, ticketed

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
        loop = asyncio.get_running_loop()
        answered = self._handed_over(work, slots, ticket)
        late = loop.call_later(ticket.left, _fail, answered, ticket.late())
        watch = loop.call_later(_WATCH_SECONDS, self._watch, ticket)
        try:
            return await answered
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
