"""How long each stage of a request takes, whoever does it and in whichever thread."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Stage: TypeAlias = Literal["queue", "decode", "encode", "search", "score"]
"""Waiting for a thread or a batch; image to pixels; pixels to embedding; neighbours; evidence and reasons."""


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds spent in each stage; one that was never entered is absent."""

    seconds: dict[Stage, float] = field(default_factory=dict)

    def add(self, stage: Stage, seconds: float) -> None:
        """Count time that was spent in a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


_current: ContextVar[Stages | None] = ContextVar("stages", default=None)


@contextmanager
def measured() -> Iterator[Stages]:
    """The stages of what is done in the block, also in threads that it hands its context to."""
    stages = Stages()
    token = _current.set(stages)
    try:
        yield stages
    finally:
        _current.reset(token)


@contextmanager
def stage(name: Stage) -> Iterator[None]:
    """Count the block as time in a stage, if anybody measures."""
    if _current.get() is None:
        yield
        return
    started = time.perf_counter()
    try:
        yield
    finally:
        spent(name, time.perf_counter() - started)


def spent(name: Stage, seconds: float) -> None:
    """Count time in a stage that was spent elsewhere, if anybody measures."""
    if (stages := _current.get()) is not None:
        stages.add(name, seconds)
