"""Locks between processes, which end with the process that holds them however it ends."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pricematch.errors import StoreInUse, StoreUnavailable

_PAUSE_SECONDS = 0.02


@contextmanager
def held(folder: Path, *, shared: bool = False, wait_seconds: float) -> Iterator[None]:
    """Hold a folder, alone or with others that share it.

    Raises:
        StoreUnavailable: others held it for `wait_seconds`.
        OSError: there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        ends = time.monotonic() + wait_seconds
        while not _locked(descriptor, shared=shared):
            if time.monotonic() >= ends:
                raise StoreUnavailable(f"{folder} was held by another process for {wait_seconds:g} seconds")
            time.sleep(_PAUSE_SECONDS)
        yield
    finally:
        os.close(descriptor)


class ServiceLock:
    """Says that a process serves a store; the file holds its id.

    Raises:
        StoreInUse: another one does.
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError:
            self._descriptor = os.open(path, os.O_RDONLY)  # a folder that is read-only can be served, too
        try:
            self._take(path)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others serve the store."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _take(self, path: Path) -> None:
        if not _locked(self._descriptor, shared=False):
            holder = os.read(self._descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            raise StoreInUse(
                f"{path.parent} is served by another process (id {holder}); stop that one, "
                f"or name another folder with --data"
            )
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        except OSError:
            pass  # read-only, or no room: the lock holds all the same, only without a name


def _locked(descriptor: int, *, shared: bool) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
