"""Whoever reads the changes of a served catalogue: each gets a page, or waits until there is one."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, TypeAlias

from pricematch.catalogue.feed import FeedPage, Position
from pricematch.errors import Overloaded
from pricematch.serving.results import ChangesRead

ReadChanges: TypeAlias = Callable[[Position], Awaitable[ChangesRead]]
"""Reads the page behind a position, of what serves."""


class Arrivals:
    """Lets tasks of one event loop wait until another version serves, which any thread may make.

    Attributes:
        ended: whether nothing is to be waited for any more.
    """

    def __init__(self) -> None:
        self.ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next: asyncio.Event | None = None

    def next(self) -> asyncio.Event:
        """Set with the next version; to be taken before what serves is read, so that none is missed."""
        self._loop = asyncio.get_running_loop()
        if self._next is None:
            self._next = asyncio.Event()
        return self._next

    def come(self) -> None:
        """Another version serves. Costs nothing while nobody waits."""
        if self._next is not None and self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._release)

    def end(self) -> None:
        """Let nobody wait from now on."""
        self.ended = True
        self.come()

    def _release(self) -> None:
        event, self._next = self._next, None
        if event is not None:
            event.set()


@dataclass(slots=True)
class Telling:
    """How a webhook is told.

    Attributes:
        name: its place among those of the settings and its host; its path may hold a secret.
        position: it was told of everything up to there; None while that is not known.
        messages: that it has taken.
        failures: attempts that have failed.
    """

    name: str
    position: Position | None = None
    messages: int = 0
    failures: int = 0


@dataclass(slots=True)
class Places:
    """Places of readers, of one catalogue or of several.

    Attributes:
        most: how many there are.
        taken: and how many are taken.
    """

    most: int
    taken: int = 0


class ChangeReaders:
    """Gives each reader what comes behind its position; for one event loop.

    Who waits takes no thread, and is no request that is worked on: it has a place of its own kind.

    Args:
        places: how many there may be at a time.
        arrivals: of versions.
    """

    def __init__(self, places: Places, arrivals: Arrivals) -> None:
        self._places, self._arrivals, self._count = places, arrivals, 0
        self._reading: dict[Hashable, asyncio.Task[FeedPage]] = {}

    def __len__(self) -> int:
        return self._count

    async def page(self, read: ReadChanges, since: Position, seconds: float) -> ChangesRead:
        """The page behind a position as soon as it has changes, or empty after some seconds.

        Raises Overloaded where there are as many readers as may be, and what `read` raises.
        """
        with self._place():
            return await self._page(read, since, seconds)

    async def pages(self, read: ReadChanges, since: Position, pause: float) -> AsyncGenerator[ChangesRead, None]:
        """The first page behind a position, then what comes, with an empty page after each pause; raises as `page`."""
        with self._place():
            for seconds in chain([0.0], repeat(pause)):
                last = self._arrivals.ended
                found = await self._page(read, since, seconds)
                yield found
                since = found.page.next
                if last and not found.page.more:
                    return

    async def _page(self, read: ReadChanges, since: Position, seconds: float) -> ChangesRead:
        clock = asyncio.get_running_loop().time
        ends = clock() + seconds
        while True:
            arrival = self._arrivals.next()
            found = await read(since)
            left = ends - clock()
            if found.page.changes or left <= 0 or self._arrivals.ended:
                return found
            since = found.page.next
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await arrival.wait()

    async def shared(self, asked: Hashable, read: Callable[[], Coroutine[Any, Any, FeedPage]]) -> FeedPage:
        """What is read, once for all who ask the same at a time, as those do who waited for it; raises as `read`."""
        if (reading := self._reading.get(asked)) is None:
            reading = self._reading[asked] = asyncio.create_task(read())
            reading.add_done_callback(lambda task: self._has_read(asked, task))
        return await asyncio.shield(reading)  # who hangs up takes it from nobody else

    def _has_read(self, asked: Hashable, task: asyncio.Task[FeedPage]) -> None:
        del self._reading[asked]
        if not task.cancelled():
            task.exception()  # of which nobody may be left to be told

    @contextmanager
    def _place(self) -> Iterator[None]:
        """A reader's place in the block; raises Overloaded."""
        places = self._places
        if places.taken >= places.most:
            raise Overloaded(f"{places.taken} readers of changes are served; try again later")
        self._count, places.taken = self._count + 1, places.taken + 1
        try:
            yield
        finally:
            self._count, places.taken = self._count - 1, places.taken - 1
