"""Progress for notebooks: lines on stderr, from the moment on that something has taken two seconds."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pricematch.progress import Lines, NotedProgress, ticking

LATE_SECONDS = 2.0


class _Withheld:
    """Keeps the newest line back until it is late, and writes every line from then on."""

    def __init__(self) -> None:
        self._late_at = time.monotonic() + LATE_SECONDS
        self._line: str | None = None
        self._lock = threading.Lock()

    def __call__(self, line: str) -> None:
        """Take a line."""
        with self._lock:
            self._line = None if (late := time.monotonic() >= self._late_at) else line
        if late:
            _write(line)

    def tell(self) -> None:
        """Write the line that was kept back, if there is one."""
        with self._lock:
            line, self._line = self._line, None
        if line is not None:
            _write(line)


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@contextmanager
def late_progress() -> Iterator[NotedProgress]:
    """Progress that says nothing in the first two seconds of the block."""
    withheld = _Withheld()
    timer = threading.Timer(LATE_SECONDS, withheld.tell)
    timer.daemon = True
    timer.start()
    try:
        with ticking(Lines(withheld)) as lines:
            yield lines
    finally:
        timer.cancel()
