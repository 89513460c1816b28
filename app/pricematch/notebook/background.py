"""Work beside a notebook's own event loop: a service in a thread, and calls that wait for a thread."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

from pricematch.errors import NotReady
from pricematch.progress import NotedProgress, Progress
from pricematch.serving.opening import opened
from pricematch.serving.service import Service
from pricematch.settings import Settings

T = TypeVar("T")


class BackgroundService:
    """A service without HTTP whose event loop runs in a thread of its own, so that a notebook may have another.

    Args:
        settings: of the service.
        progress: called with what is being done while it starts.

    Raises:
        PricematchError: it cannot be started.
    """

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings, self._progress = settings, progress
        self._opened: Future[tuple[Service, asyncio.AbstractEventLoop]] = Future()
        self._end: Callable[[], None] = lambda: None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pricematch", daemon=True)
        self._thread.start()
        try:
            self._service, self._loop = self._opened.result()
        except BaseException:
            self.close()
            raise

    def call(self, work: Callable[[Service], Awaitable[T]]) -> T:
        """The result of something the service does; an interrupt cancels it."""
        if self._ended.is_set():
            raise NotReady("the service has stopped")

        async def called() -> T:
            return await work(self._service)

        return _waited(asyncio.run_coroutine_threadsafe(called(), self._loop))

    def close(self) -> None:
        """End the service and its processes, and wait for that."""
        self._ended.set()
        self._end()
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 — whoever waits for the start gets it
            if not self._opened.done():
                self._opened.set_exception(error)

    async def _serve(self) -> None:
        loop, ending, service = asyncio.get_running_loop(), asyncio.Event(), Service(self._settings)

        def end() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(ending.set)

        self._end = end
        if self._ended.is_set():
            return
        waiting = asyncio.create_task(ending.wait())
        async with opened(service, self._progress, serve=False, settle=True) as opening:
            await asyncio.wait({opening, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if opening.done():
                opening.result()
                self._opened.set_result((service, loop))
            await waiting


def in_thread(work: Callable[[NotedProgress], T], progress: NotedProgress) -> T:
    """The result of work in a thread, where no event loop runs yet; interrupted, it ends at its next step."""
    result: Future[T] = Future()
    stopping = threading.Event()

    def step(what: str, done: int, total: int, note: str = "") -> None:
        if stopping.is_set():
            raise NotReady("interrupted")
        progress(what, done, total, note)

    def run() -> None:
        try:
            result.set_result(work(step))
        except BaseException as error:  # noqa: BLE001 — whoever waits gets it
            result.set_exception(error)

    threading.Thread(target=run, name="pricematch", daemon=True).start()
    try:
        return result.result()
    except KeyboardInterrupt:
        stopping.set()
        raise


def _waited(future: "Future[T]") -> T:
    try:
        return future.result()
    except KeyboardInterrupt:
        future.cancel()
        raise
