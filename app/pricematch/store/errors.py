"""What SQLite and the file system complain of, as errors of the store."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pricematch.errors import StoreDamaged, StoreError, StoreFull, StoreUnavailable

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
