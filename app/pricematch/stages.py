"""Seconds that each stage of a request takes, in whichever thread."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, TypeAlias

Stage: TypeAlias = Literal["queue", "decode", "encode", "search", "score"]
"""Waiting for a thread or a batch; image to pixels; pixels to embedding; neighbours; evidence and reasons."""
_seconds: ContextVar[dict[Stage, float] | None] = ContextVar("stages", default=None)


@contextmanager
def measured() -> Iterator[Mapping[Stage, float]]:
    """Seconds in each stage of what is done in the block, also in threads that it hands its context to."""
    seconds: dict[Stage, float] = {}
    token = _seconds.set(seconds)
    try:
        yield seconds
    finally:
        _seconds.reset(token)


@contextmanager
def stage(name: Stage) -> Iterator[None]:
    """Count the block as time in a stage, inside of `measured`."""
    started = time.perf_counter()
    try:
        yield
    finally:
        spent(name, time.perf_counter() - started)


def spent(name: Stage, seconds: float) -> None:
    """Count time in a stage that was spent elsewhere, inside of `measured`."""
    if (found := _seconds.get()) is not None:
        found[name] = found.get(name, 0.0) + seconds
