"""The store in one folder: a SQLite database, and the pictures beside it."""

import logging
from dataclasses import dataclass
from pathlib import Path

from pricematch.errors import SettingsError, StoreError
from pricematch.formats.whole_file import make_folder
from pricematch.store.errors import store_errors
from pricematch.store.folder_locks import ServiceLock
from pricematch.store.image_files import ImageFiles
from pricematch.store.incoming_images import sweep_incoming
from pricematch.store.sqlite.computed import SqliteComputed
from pricematch.store.sqlite.database import Database, Mode
from pricematch.store.sqlite.jobs import SqliteJobs
from pricematch.store.sqlite.models import SqliteModels
from pricematch.store.sqlite.opening import DATABASE, IMAGES, INCOMING, LOCK, WAIT_SECONDS, check_whole, prepare
from pricematch.store.sqlite.pictures import UnusedPictures
from pricematch.store.sqlite.postings import SqlitePostings
from pricematch.store.sqlite.revisions import forget_history
from pricematch.store.sqlite.verdicts import SqliteVerdicts

_log = logging.getLogger("pricematch")
KEPT_DELETIONS = 100_000


@dataclass(frozen=True, slots=True)
class Store:
    """Everything that is kept, behind the ports of `pricematch.store.ports`.

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
            mode = prepare(path, wait_seconds, serve=serve, adopt=adopt)
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


def check_store(store: Store) -> None:
    """Raise StoreDamaged if the database of a store is damaged; reads all of it."""
    check_whole(store.database.path, store.database.mode, store.database.wait_seconds)


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
