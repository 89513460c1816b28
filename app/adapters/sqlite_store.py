"""The store in one folder: a SQLite database, and the pictures beside it."""

import logging
import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.adapters.folder_locks import ServiceLock, held
from app.adapters.image_files import ImageFiles
from app.adapters.incoming_images import sweep_incoming, sync_folder
from app.adapters.sqlite_computed import SqliteComputed
from app.adapters.sqlite_database import Database, Mode, connect, log_ahead, mode_of
from app.adapters.sqlite_jobs import SqliteJobs
from app.adapters.sqlite_models import SqliteModels
from app.adapters.sqlite_pictures import UnusedPictures
from app.adapters.sqlite_postings import SqlitePostings
from app.adapters.sqlite_revisions import forget_history
from app.adapters.sqlite_schema import SCHEMA, migrate, schema_of
from app.adapters.sqlite_verdicts import SqliteVerdicts
from app.adapters.store_errors import damaged, store_errors
from app.adapters.whole_file import make_folder
from app.errors import SettingsError, StoreError

_log = logging.getLogger("pricematch")
DATABASE, IMAGES, INCOMING, LOCK = "pricematch.sqlite3", "images", "incoming", "lock"
KEPT_DELETIONS = 100_000
WAIT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Store:
    """Everything that is kept, behind the ports of `app.matching.ports`.

    Attributes:
        folder: where.
        postings: a `PostingStore`.
        images: the postings' pictures, an `ImageSource`.
        computed: embeddings and hashes, a `ComputedStore`.
        verdicts: a `VerdictStore`.
        models: the `ActiveModels`.
        jobs: a `JobStore`.
        database: what all but the pictures is in.
        unused: deletes pictures that no posting shows.
        lock: says that this process serves the store; None where it does not.
    """

    folder: Path
    postings: SqlitePostings
    images: ImageFiles
    computed: SqliteComputed
    verdicts: SqliteVerdicts
    models: SqliteModels
    jobs: SqliteJobs
    database: Database
    unused: UnusedPictures
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

    Whoever serves it also has the database checked, and sweeps up what a process that was killed left behind.

    Args:
        folder: where it is.
        serve: whether this is the process that serves it.
        create: whether to make one where there is none.
        adopt: whether to make one beside pictures that have none; those that no posting shows are deleted some day.
        wait_seconds: how long anything waits for another process or thread.

    Raises:
        SettingsError: the folder cannot be made, or there is no store and none is to be made.
        StoreInUse: another process serves it.
        StoreNewer, StoreDamaged, StoreFull, StoreUnavailable: says what to do.
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
            mode = _prepare(path, wait_seconds, serve=serve, adopt=adopt)
            if serve:
                check_whole(path, mode, wait_seconds)
    except BaseException:
        if lock is not None:
            lock.close()
        raise
    store = _assemble(folder, Database(path, mode, wait_seconds), lock, wait_seconds)
    if serve and mode is Mode.WRITE:
        _tidy(store)
    return store


def check_whole(path: Path, mode: Mode, wait_seconds: float) -> None:
    """Raise StoreDamaged if the pages of a database do not fit each other; reads all of it."""
    with store_errors(path), closing(connect(path, mode, wait_seconds)) as connection:
        answer = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    if answer != "ok":
        raise damaged(path, " ".join(answer.removeprefix("*** in database main ***").split()))


def check_store(store: Store) -> None:
    """Raise StoreDamaged if the database of a store is damaged; reads all of it."""
    check_whole(store.database.path, store.database.mode, store.database.wait_seconds)


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


def _prepare(path: Path, wait_seconds: float, *, serve: bool, adopt: bool) -> Mode:
    """Make the database and the folders beside it if need be, and bring them up to date; how to open it.

    Processes do so one after the other.
    """
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


def _assemble(folder: Path, database: Database, lock: ServiceLock | None, wait_seconds: float) -> Store:
    images, incoming = ImageFiles(folder / IMAGES), folder / INCOMING
    unused = UnusedPictures(database, images)
    return Store(
        folder=folder,
        postings=SqlitePostings(database, images, incoming, unused, wait_seconds),
        images=images,
        computed=SqliteComputed(database),
        verdicts=SqliteVerdicts(database),
        models=SqliteModels(database),
        jobs=SqliteJobs(database),
        database=database,
        unused=unused,
        lock=lock,
    )


def _tidy(store: Store) -> None:
    """Delete what nobody needs; where that fails, the store is none the worse."""
    try:
        store.unused.sweep()
        with store_errors(store.folder):
            sweep_incoming(store.folder / INCOMING)
        with store.database.write() as connection:
            forget_history(connection, KEPT_DELETIONS)
    except StoreError as error:
        _log.warning("%s could not be tidied: %s", store.folder, error)
