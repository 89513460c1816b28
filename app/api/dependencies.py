"""What endpoints ask for."""

import time
from collections.abc import Callable
from typing import Annotated, TypeVar

from anyio import to_thread
from fastapi import Depends, Path, Request

from app.api.state import Ready, Service, State
from app.matching.postings import POSTING_ID_PATTERN

T = TypeVar("T")


def _state(request: Request) -> State:
    state: State = request.state.app
    return state


def _service(request: Request) -> Service:
    return _state(request).service


def _ready(request: Request) -> Ready:
    return _service(request).ready()


class Worker:
    """Runs blocking work in a thread, a bounded number at a time, and measures how long a request takes."""

    def __init__(self, request: Request) -> None:
        self._state = _state(request)
        self._started = time.perf_counter()

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, run in a thread."""
        return await to_thread.run_sync(work, limiter=self._state.limiter)

    async def keep(self, work: Callable[[], T]) -> T:
        """The result of short work on what is stored, which does not wait for pictures to be decoded."""
        return await to_thread.run_sync(work)

    async def run_alone(self, work: Callable[[], T]) -> T:
        """The result of `work` that may take seconds: one at a time, and matches are answered meanwhile."""
        return await to_thread.run_sync(work, limiter=self._state.alone)

    def took_ms(self) -> float:
        """Milliseconds since the request arrived here."""
        return round((time.perf_counter() - self._started) * 1e3, 3)


ServiceDep = Annotated[Service, Depends(_service)]
ReadyDep = Annotated[Ready, Depends(_ready)]
WorkerDep = Annotated[Worker, Depends(Worker)]
PostingId = Annotated[str, Path(pattern=POSTING_ID_PATTERN, description="Id of a stored posting.")]
