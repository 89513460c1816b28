"""Waiting for an event: the limit only ends a test that would hang, so it is far above what a slow machine takes."""

import time
from collections.abc import Callable

SAFETY_SECONDS = 900


def eventually(happens: Callable[[], bool]) -> None:
    """Wait until something is so; fails after `SAFETY_SECONDS`."""
    end = time.monotonic() + SAFETY_SECONDS
    while not happens():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
