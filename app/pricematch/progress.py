"""Progress of long work: what it is reported to, and how it reads as lines of text."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with what is being done, how many are done, and how many there are."""
SECONDS = 10.0
"""Between two lines of a step."""
_SHORT, _MINUTE, _HOUR = 120, 60, 3600


class NotedProgress(Protocol):
    """Progress that takes a note besides, such as the loss of an epoch."""

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
        """Take that `done` of `total` are done."""


def silent(what: str, done: int, total: int) -> None:
    """Show nothing."""


@dataclass(slots=True)
class _Step:
    """One thing that is being done.

    Attributes:
        started: moment of the first report.
        first: how many were done then.
        said: moment of its last line.
    """

    started: float
    first: int
    said: float
    done: int
    total: int
    note: str


class Lines:
    """Progress as lines of text: a line when a step begins, one every ten seconds, and one when it ends.

    Where nothing is reported for long, `tick` writes what is due. Safe to use from several threads.

    Args:
        write: takes a line.
        clock: seconds since whenever.
    """

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._write, self._clock = write, clock
        self._steps: dict[str, _Step] = {}
        self._lock = threading.Lock()

    def __call__(self, what: str, done: int, total: int, note: str = "") -> None:
        """Take that `done` of `total` are done."""
        with self._lock:
            now, step = self._clock(), self._steps.get(what)
            ended = done >= total
            if step is None or done < step.done:
                step = self._steps[what] = _Step(now, done, now, done, total, note)
                due = total > 0
            else:
                due = (ended and step.done < step.total) or (not ended and now - step.said >= SECONDS)
                step.done, step.total, step.note = done, total, note
            if due:
                self._say(what, step, now)

    def tick(self) -> None:
        """Write a line of each step that goes on and had none for ten seconds."""
        with self._lock:
            now = self._clock()
            for what, step in self._steps.items():
                if step.done < step.total and now - step.said >= SECONDS:
                    self._say(what, step, now)

    def _say(self, what: str, step: _Step, now: float) -> None:
        step.said = now
        seconds, counted = now - step.started, step.done - step.first
        parts = [f"{what}: {step.done} of {step.total} ({step.done / step.total:.0%})"]
        if step.done >= step.total:
            parts[0] += f" in {_duration(seconds)}"
        elif seconds >= 1:
            parts.append(f"{_duration(seconds)} so far")
        if counted > 1 and seconds > 0:
            parts.append(_rate(counted / seconds))
            if step.done < step.total:
                parts.append(f"{_duration((step.total - step.done) * seconds / counted)} left")
        self._write(", ".join([*parts, *([step.note] if step.note else [])]))


@contextmanager
def ticking(lines: Lines) -> Iterator[Lines]:
    """Lines whose `tick` is called as time goes by, until the end of the block."""
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(SECONDS):
            lines.tick()

    ticker = threading.Thread(target=tick, name="progress", daemon=True)
    ticker.start()
    try:
        yield lines
    finally:
        ended.set()
        ticker.join()


def _duration(seconds: float) -> str:
    if seconds < _SHORT:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < _SHORT * _MINUTE else f"{seconds / _HOUR:.1f} h"


def _rate(per_second: float) -> str:
    if per_second < 1:
        return f"{per_second * _MINUTE:.1f}/min"
    return f"{per_second:.0f}/s" if per_second >= 10 else f"{per_second:.1f}/s"
