"""Tasks that wait for another version: none misses it, whichever thread makes it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from pricematch.catalogue.feed import FeedPage, Position
from pricematch.catalogue.records import PostingChange
from pricematch.errors import Overloaded
from pricematch.serving.change_readers import Arrivals, ChangeReaders, Places
from pricematch.serving.results import ChangesRead
from tests.support.waiting import SAFETY_SECONDS


def pages_of(versions: list[int]) -> Callable[[Position], Awaitable[ChangesRead]]:
    """Reads a change of each version that there is."""

    async def read(since: Position) -> ChangesRead:
        now = versions[-1]
        found = [PostingChange("a", number, None) for number in range(since.revision + 1, now + 1)]
        return ChangesRead(now, FeedPage(now, since, found, since.at(now), more=False))

    return read


def test_what_comes_between_a_look_and_the_wait_is_not_missed() -> None:
    async def run() -> None:
        arrivals = Arrivals()
        arrivals.come()  # nobody waits
        arrival = arrivals.next()
        assert arrivals.next() is arrival
        await asyncio.to_thread(arrivals.come)
        async with asyncio.timeout(SAFETY_SECONDS):
            await arrival.wait()
        assert arrivals.next() is not arrival

    asyncio.run(run())


def test_readers_see_every_version_while_a_thread_makes_them() -> None:
    versions = [0]

    async def run() -> list[list[int]]:
        arrivals = Arrivals()
        readers = ChangeReaders(Places(9), arrivals)

        def make() -> None:
            for number in range(1, 301):
                versions.append(number)
                arrivals.come()

        async def follow() -> list[int]:
            seen, position = list[int](), Position(0)
            while len(seen) < 300:
                found = await readers.page(pages_of(versions), position, SAFETY_SECONDS)
                seen, position = seen + [it.revision for it in found.page.changes], found.page.next
            return seen

        following = [asyncio.create_task(follow()) for _ in range(5)]
        await asyncio.sleep(0)
        thread = threading.Thread(target=make)
        thread.start()
        seen = await asyncio.gather(*following)
        thread.join()
        assert len(readers) == 0
        return seen

    assert asyncio.run(run()) == [list(range(1, 301))] * 5


def test_pages_go_on_with_empty_ones_until_the_end() -> None:
    """The first comes at once; after the end what is there comes, and nothing is waited for."""

    async def run() -> None:
        arrivals, versions = Arrivals(), [0]
        readers = ChangeReaders(Places(1), arrivals)
        pages = readers.pages(pages_of(versions), Position(0), 0.01)
        assert [len((await anext(pages)).page.changes) for _ in range(3)] == [0, 0, 0]
        with pytest.raises(Overloaded):
            await readers.page(pages_of(versions), Position(0), 0)
        versions.append(2)
        arrivals.end()
        assert [len(found.page.changes) async for found in pages] == [2]
        assert len(readers) == 0
        assert (await readers.page(pages_of(versions), Position(2), SAFETY_SECONDS)).page.changes == []

    asyncio.run(run())


def test_readers_that_ask_the_same_share_one_read() -> None:
    """Who asks otherwise, or later, has one of their own; what fails, fails for all, and who hangs up stops nobody."""
    reads, go = list[str](), dict[str, asyncio.Event]()

    async def read(asked: str) -> FeedPage:
        reads.append(asked)
        await go.setdefault(asked, asyncio.Event()).wait()
        if asked == "bad":
            raise Overloaded("no")
        return FeedPage(1, Position(0), [], Position(len(reads)), more=False)

    async def run() -> None:
        readers = ChangeReaders(Places(9), Arrivals())

        def ask(asked: str) -> asyncio.Task[FeedPage]:
            return asyncio.create_task(readers.shared(asked, lambda: read(asked)))

        async with asyncio.timeout(SAFETY_SECONDS):
            tasks = [ask(asked) for asked in ("a", "a", "b", "a", "bad", "bad")]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert reads == ["a", "b", "bad"]
            tasks[0].cancel()
            for event in go.values():
                event.set()
            found = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert found[1] is found[3]
        assert found[1] is not found[2]
        assert isinstance(found[4], Overloaded)
        assert isinstance(found[5], Overloaded)
        await asyncio.sleep(0)
        await ask("a")
        assert reads == ["a", "b", "bad", "a"]

    asyncio.run(run())
