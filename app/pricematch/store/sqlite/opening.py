"""Opening the database of a store: made, brought up to date, checked, or moved out of the way."""

import logging
import os
import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from pricematch.errors import StoreUnavailable
from pricematch.store.errors import damaged, store_errors
from pricematch.store.folder_locks import ServiceLock, held
from pricematch.store.incoming_images import sync_folder
from pricematch.store.sqlite.database import Mode, connect, log_ahead, mode_of
from pricematch.store.sqlite.schema import SCHEMA, migrate, schema_of

_log = logging.getLogger("pricematch")
DATABASE, IMAGES, INCOMING, LOCK = "pricematch.sqlite3", "images", "incoming", "lock"
WAIT_SECONDS = 10.0
_OLDEST_SQLITE = (3, 37)
"""It has strict tables, RETURNING, and reads write-ahead logs without writing beside them."""


def prepare(path: Path, wait_seconds: float, *, serve: bool, adopt: bool) -> Mode:
    """Make the database and the folders beside it if need be, and bring them up to date; how to open it.

    Processes do so one after the other.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        oldest = ".".join(map(str, _OLDEST_SQLITE))
        raise StoreUnavailable(f"a store takes SQLite {oldest} or newer, and this Python has {sqlite3.sqlite_version}")
    folder = path.parent
    with held(folder, wait_seconds=wait_seconds):
        if not path.exists() or not path.stat().st_size:
            _create(path, adopt=adopt)
        mode = mode_of(path, writable=os.access(folder, os.W_OK) and os.access(path, os.W_OK))
        if mode is Mode.WRITE:
            for name in (IMAGES, INCOMING):
                (folder / name).mkdir(exist_ok=True)
            (folder / LOCK).touch()  # so that it can be locked should the folder become read-only
            sync_folder(folder)
        with closing(connect(path, mode, wait_seconds)) as connection:
            if schema_of(connection, path) < SCHEMA:
                _update(connection, path, serve=serve, adopt=adopt)
            if mode is Mode.WRITE:
                log_ahead(connection, path)
    return mode


def _create(path: Path, *, adopt: bool) -> None:
    """Make an empty database."""
    if not adopt:
        _check_no_pictures(path)
    with closing(connect(path, Mode.CREATE, 0)) as connection:
        migrate(connection, path)


def _check_no_pictures(path: Path) -> None:
    """Raise StoreDamaged if there are pictures: without their database they would be swept up."""
    images = path.parent / IMAGES
    if images.is_dir() and any(images.glob("??/?*")):
        raise damaged(path.parent, f"it holds pictures, but no postings in {path.name}")


def _update(connection: sqlite3.Connection, path: Path, *, serve: bool, adopt: bool) -> None:
    """Bring an older schema up to date, while no older pricematch serves it; raises StoreInUse."""
    lock = None if serve else ServiceLock(path.with_name(LOCK))
    try:
        before = schema_of(connection, path)
        if before == 0 and not adopt:
            _check_no_pictures(path)
        migrate(connection, path)
        _log.info("%s: schema %d became %d", path, before, SCHEMA)
    finally:
        if lock is not None:
            lock.close()


def check_whole(path: Path, mode: Mode, wait_seconds: float) -> None:
    """Raise StoreDamaged if the pages of a database do not fit each other; reads all of it."""
    with store_errors(path), closing(connect(path, mode, wait_seconds)) as connection:
        answer = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if answer != "ok":
        raise damaged(path, " ".join(answer.removeprefix("*** in database main ***").split()))


def set_aside(folder: Path) -> Path:
    """Move a damaged database out of the way, and say where it is.

    Raises:
        StoreInUse: a service runs on it.
        StoreUnavailable: it cannot be moved.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = folder / f"{DATABASE}.damaged-{stamp}"
    with store_errors(folder), closing(ServiceLock(folder / LOCK)), held(folder, wait_seconds=WAIT_SECONDS):
        for ending in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                (folder / f"{DATABASE}{ending}").rename(f"{aside}{ending}")
        sync_folder(folder)
    return aside
