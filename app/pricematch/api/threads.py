"""Threads that are there from the beginning."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier


def started(count: int, name: str) -> ThreadPoolExecutor:
    """A pool whose threads all run already.

    Where memory has run out a new thread may die before it has told whoever waits for it to begin, and that would be
    the event loop.
    """
    pool, all_there = ThreadPoolExecutor(count, name), Barrier(count + 1)
    for _ in range(count):
        pool.submit(all_there.wait)
    all_there.wait()
    return pool
