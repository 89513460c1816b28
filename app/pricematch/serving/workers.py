"""Threads that do the work of requests, how many requests are worked on, and until when."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from pricematch.errors import DeadlineExceeded, Overloaded
from pricematch.settings import Settings

T = TypeVar("T")
P = ParamSpec("P")
_STORE_THREADS = 8


class Workers:
    """Runs blocking work for the requests of one event loop.

    What nobody waits for any more is dropped before a thread takes it.

    Args:
        settings: limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._requests = 0
        self._matching = ThreadPoolExecutor(settings.workers, "match")
        self._storing = ThreadPoolExecutor(_STORE_THREADS, "store")
        self._alone = ThreadPoolExecutor(1, "alone")

    def check_room(self) -> None:
        """Raise Overloaded while as many requests are worked on, or wait for it, as may."""
        if self._requests >= self._settings.max_in_flight:
            raise Overloaded(f"{self._requests} requests are being answered; try again soon")

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Work on a request in the block; raises Overloaded, DeadlineExceeded."""
        self.check_room()
        self._requests += 1
        seconds = self._settings.request_seconds
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise DeadlineExceeded(f"it took longer than {seconds:g} s") from error
        finally:
            self._requests -= 1

    async def match(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of work on one query; as many at a time as settings say."""
        return await _in(self._matching, partial(work, *args, **kwargs))

    async def store(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of short work on what is stored."""
        return await _in(self._storing, partial(work, *args, **kwargs))

    async def alone(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of work that may take seconds; one at a time, and matches are answered meanwhile."""
        return await _in(self._alone, partial(work, *args, **kwargs))

    def close(self) -> None:
        """Let no further work begin."""
        for pool in (self._matching, self._storing, self._alone):
            pool.shutdown(wait=False, cancel_futures=True)


async def _in(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, copy_context().run, work)
