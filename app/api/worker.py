"""Does the work of a request in threads, as long as somebody waits for it."""

import asyncio
import time
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

from fastapi import Request

from app.api.state import State
from app.errors import PricematchError
from app.matching.slots import Slots
from app.matching.tickets import Ticket, ticketed

T = TypeVar("T")


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

        def worked() -> T:
            try:
                with ticketed(ticket), slots.held(ticket):
                    return work()
            finally:
                self._state.admission.leave()

        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(self._state.threads, copy_context().run, worked)
        answered: asyncio.Future[T] = loop.create_future()
        done.add_done_callback(lambda _: _pass_on(done, answered))
        late = loop.call_later(ticket.left, _fail, answered, ticket.late())
        gone = loop.create_task(self._cancel_when_gone(ticket))
        try:
            return await answered
        finally:
            late.cancel()
            gone.cancel()

    async def _cancel_when_gone(self, ticket: Ticket) -> None:
        """Wait until the client hangs up; the request's body was read, or there is none."""
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        ticket.cancel()


def _pass_on(done: "asyncio.Future[T]", answered: "asyncio.Future[T]") -> None:
    """Hand on what came of the work, unless its time was over before."""
    error = done.exception()
    if answered.done():
        return
    if error is None:
        answered.set_result(done.result())
    else:
        answered.set_exception(error)


def _fail(answered: "asyncio.Future[T]", error: PricematchError) -> None:
    if not answered.done():
        answered.set_exception(error)
