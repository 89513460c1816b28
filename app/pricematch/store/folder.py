"""A store's folder: locks between processes, and faults of its files as errors of the store."""

import errno
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from pricematch.errors import StoreDamaged, StoreError, StoreFull, StoreInUse, StoreUnavailable
from pricematch.formats.atomic_writes import make_folder
from pricematch.settings import NAMESPACES

_log = logging.getLogger("pricematch")
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH}
_SCHEMA_OR_TEXT = sqlite3.SQLITE_ERROR
"""A table that is missing, or, without a code of SQLite's, text that is not UTF-8: our statements cause neither."""


@contextmanager
def store_errors(place: Path) -> Iterator[None]:
    """Raise errors of SQLite and of the file system as those of the store.

    Args:
        place: the database or folder that is worked on, for the sentence.

    Raises:
        StoreFull: there is no room.
        StoreDamaged: the database is not whole.
        StoreUnavailable: anything else.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _of_sqlite(error, place) from error
    except OSError as error:
        raise _of_system(error, place) from error
    except UnicodeDecodeError as error:  # even in what SQLite complains of
        raise damaged(place, "it holds text that is not UTF-8") from error


def damaged(place: Path, why: str) -> StoreDamaged:
    """The error of a store that is not whole; its sentence says what to do."""
    folder = place if place.is_dir() else place.parent
    return StoreDamaged(
        f"{place} is damaged ({why}); `pricematch restore FILE --data {folder}` takes a backup in its place, "
        f"`pricematch verify --accept-loss --data {folder}` goes on with what is left, "
        f"or move {folder} away and import the catalogue again"
    )


def _of_sqlite(error: sqlite3.Error, place: Path) -> StoreError:
    code = getattr(error, "sqlite_errorcode", _SCHEMA_OR_TEXT)
    if code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE:
        return _full(place)
    if code & 0xFF in _DAMAGE or code == _SCHEMA_OR_TEXT:
        return damaged(place, str(error))
    return StoreUnavailable(f"{place} cannot be used now ({error})")


def _of_system(error: OSError, place: Path) -> StoreError:
    if error.errno in _NO_ROOM:
        return _full(place)
    return StoreUnavailable(f"{place} cannot be used now ({error.strerror or error})")


def _full(place: Path) -> StoreFull:
    return StoreFull(f"there is no room left in {place if place.is_dir() else place.parent}")


PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
"""Modes of what is in a store: a catalogue is its owner's affair."""


def make_store_folder(folder: Path) -> None:
    """Make the folder of a store for its owner alone, and for a namespace's those around it; raises SettingsError."""
    around = [folder.parent.parent, folder.parent] if folder.parent.name == NAMESPACES else []
    for each in (*around, folder):
        make_folder(each, PRIVATE_FOLDER)


def close_to_others(folder: Path, names: Iterable[str]) -> None:
    """Take from others what rights they have to a folder and those of some files and folders in it that are there.

    An earlier version, or a copy, left them open. Where that is not allowed, it is only logged.
    """
    inside = [folder / name for name in names]
    if not any(path.exists() and path.stat().st_mode & 0o077 for path in (folder, *inside)):
        return
    try:
        for top in inside:
            for path in (top, *(Path(at, name) for at, *named in os.walk(top) for name in chain(*named))):
                if path.exists() and not path.is_symlink():
                    path.chmod(PRIVATE_FOLDER if path.is_dir() else PRIVATE_FILE)
        folder.chmod(PRIVATE_FOLDER)
        _log.warning("%s was open to other users of this machine; now it is its owner's alone", folder)
    except OSError as error:
        _log.warning("%s is open to other users of this machine, and stays so (%s)", folder, error.strerror)


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
    """Marks a store as served by this process, whose id the file holds.

    Raises:
        StoreInUse: another one does.
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
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
