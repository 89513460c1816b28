"""The store in one folder: a SQLite database and image files."""

import logging
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pricematch.errors import SettingsError, StoreError, StoreUnavailable
from pricematch.formats.atomic_writes import make_folder, sync_folder
from pricematch.store.folder import ServiceLock, damaged, held, store_errors
from pricematch.store.image_files import ImageFiles, sweep_incoming
from pricematch.store.sqlite.changes import forget_history
from pricematch.store.sqlite.computed import SqliteComputed
from pricematch.store.sqlite.database import Database, Mode, connect, log_ahead, mode_of
from pricematch.store.sqlite.feedback import SqliteFeedback
from pricematch.store.sqlite.jobs import SqliteJobs
from pricematch.store.sqlite.postings import SqlitePostings
from pricematch.store.sqlite.schema import SCHEMA, migrate, schema_of
from pricematch.store.sqlite.unused_images import UnusedImages

DATABASE, IMAGES, INCOMING, LOCK = "pricematch.sqlite3", "images", "incoming", "lock"
WAIT_SECONDS = 10.0
_OLDEST_SQLITE = (3, 37)
"""It has strict tables, RETURNING, and reads write-ahead logs without writing files."""


def prepare(path: Path, wait_seconds: float, *, serve: bool, adopt: bool) -> Mode:
    """Make the database and its folders if need be, and bring them up to date; how to open it.

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
        _check_no_images(path)
    with closing(connect(path, Mode.CREATE, 0)) as connection:
        migrate(connection, path)


def _check_no_images(path: Path) -> None:
    """Raise StoreDamaged if there are images: without their database they would be swept up."""
    images = path.parent / IMAGES
    if images.is_dir() and any(images.glob("??/?*")):
        raise damaged(path.parent, f"it holds images, but no postings in {path.name}")


def _update(connection: sqlite3.Connection, path: Path, *, serve: bool, adopt: bool) -> None:
    """Bring an older schema up to date, while no older pricematch serves it; raises StoreInUse."""
    lock = None if serve else ServiceLock(path.with_name(LOCK))
    try:
        before = schema_of(connection, path)
        if before == 0 and not adopt:
            _check_no_images(path)
        migrate(connection, path)
        _log.info("%s: schema %d became %d", path, before, SCHEMA)
    finally:
        if lock is not None:
            lock.close()


def check_whole(database: Database) -> None:
    """Raise StoreDamaged if the pages of a database do not fit each other; reads all of it."""
    path = database.path
    with store_errors(path), closing(connect(path, database.mode, database.wait_seconds)) as connection:
        answer = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if answer != "ok":
        raise damaged(path, " ".join(answer.removeprefix("*** in database main ***").split()))


def set_aside(folder: Path) -> Path:
    """Move a damaged database out of the way; the path it has then.

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


class SqliteModels:
    """Keeps which version of a model is to serve; raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def active(self) -> Mapping[str, str]:
        """Version by name of the models of which one was activated."""
        with self._database.read() as connection:
            return dict(connection.execute("SELECT name, version FROM active_model ORDER BY name"))

    def activate(self, name: str, version: str) -> None:
        """Let a version serve."""
        with self._database.write() as connection:
            connection.execute("INSERT OR REPLACE INTO active_model VALUES (?, ?)", (name, version))


_log = logging.getLogger("pricematch")
KEPT_DELETIONS = 100_000


@dataclass(frozen=True, slots=True)
class Store:
    """Everything that is kept, behind the ports of `pricematch.store.ports`.

    Attributes:
        folder: where.
        postings: a `PostingStore`.
        images: the postings' images, an `ImageSource`.
        computed: embeddings and hashes, a `ComputedStore`.
        feedback: a `FeedbackStore`.
        models: versions that were activated.
        jobs: a `JobStore`.
        database: what all but the images is in.
        unused: deletes images that no posting shows.
        lock: held while this process serves the store; None where it does not.
    """

    folder: Path
    postings: SqlitePostings
    images: ImageFiles
    computed: SqliteComputed
    feedback: SqliteFeedback
    models: SqliteModels
    jobs: SqliteJobs
    database: Database
    unused: UnusedImages
    lock: ServiceLock | None

    def close(self) -> None:
        """Close the database, and let others serve it."""
        self.database.close()
        if self.lock is not None:
            self.lock.close()


def open_store(
    folder: Path, *, serve: bool = False, create: bool = True, adopt: bool = False, wait_seconds: float = WAIT_SECONDS
) -> Store:
    """Open the store in a folder; several processes may, but only one to serve it.

    To be served, its database is checked, and files that a killed process left behind are deleted.

    Args:
        folder: where it is.
        serve: whether this is the process that serves it.
        create: whether to make one where there is none.
        adopt: whether to make one for images that have none; those that no posting shows are deleted some day.
        wait_seconds: how long anything waits for another process or thread.

    Raises:
        SettingsError: the folder cannot be made, or there is no store and none is to be made.
        StoreInUse: another process serves it.
        StoreNewer, StoreDamaged, StoreFull, StoreUnavailable: it cannot be opened.
    """
    path = folder / DATABASE
    if not path.exists():
        if not create:
            raise SettingsError(f"there is no store in {folder}; name its folder with --data")
        make_folder(folder)
    with store_errors(folder):
        lock = ServiceLock(folder / LOCK) if serve else None
    try:
        with store_errors(path):
            mode = prepare(path, wait_seconds, serve=serve, adopt=adopt)
        database = Database(path, mode, wait_seconds)
        if serve:
            check_whole(database)
    except BaseException:
        if lock is not None:
            lock.close()
        raise
    images = ImageFiles(folder / IMAGES)
    unused = UnusedImages(database, images)
    store = Store(
        folder=folder,
        postings=SqlitePostings(database, images, folder / INCOMING, unused),
        images=images,
        computed=SqliteComputed(database),
        feedback=SqliteFeedback(database),
        models=SqliteModels(database),
        jobs=SqliteJobs(database),
        database=database,
        unused=unused,
        lock=lock,
    )
    if serve and mode is Mode.WRITE:
        _tidy(store)
    return store


def _tidy(store: Store) -> None:
    """Delete unused files and old history; a failure is only logged."""
    try:
        store.unused.sweep()
        with store_errors(store.folder):
            sweep_incoming(store.folder / INCOMING)
        with store.database.write() as connection:
            forget_history(connection, KEPT_DELETIONS)
    except StoreError as error:
        _log.warning("%s could not be tidied: %s", store.folder, error)
