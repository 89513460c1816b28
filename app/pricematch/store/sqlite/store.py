"""The store in one folder: a SQLite database and image files."""

import logging
import os
import sqlite3
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pricematch.errors import SettingsError, StoreDamaged, StoreError, StoreUnavailable
from pricematch.formats.atomic_writes import sync_folder
from pricematch.store.folder import (
    PRIVATE_FILE,
    PRIVATE_FOLDER,
    ServiceLock,
    close_to_others,
    damaged,
    held,
    make_store_folder,
    store_errors,
)
from pricematch.store.image_files import ImageFiles, sweep_incoming
from pricematch.store.sqlite.answers import SqliteAnswers
from pricematch.store.sqlite.changes import forget_history
from pricematch.store.sqlite.checks import check_whole
from pricematch.store.sqlite.computed import SqliteComputed
from pricematch.store.sqlite.database import Database, Mode, connect, log_ahead, mode_of, witnessed
from pricematch.store.sqlite.feed import SqliteFeed
from pricematch.store.sqlite.feedback import SqliteFeedback
from pricematch.store.sqlite.fields import SqliteFields
from pricematch.store.sqlite.jobs import SqliteJobs
from pricematch.store.sqlite.models import SqliteModels
from pricematch.store.sqlite.postings import SqlitePostings
from pricematch.store.sqlite.product_rows import forget_events
from pricematch.store.sqlite.products import SqliteProducts
from pricematch.store.sqlite.schema import SCHEMA, migrate, schema_of
from pricematch.store.sqlite.shown_images import mend_look_up
from pricematch.store.sqlite.unused_images import LEFT_BY_A_KILL, UnusedImages
from pricematch.store.sqlite.webhooks import SqliteWebhooks
from pricematch.store.witness import Witness, Witnessed

DATABASE, IMAGES, INCOMING, LOCK = "pricematch.sqlite3", "images", "incoming", "lock"
LOST_FOUND, WITNESS, JOBS = "lost+found", "witness", "jobs"
LOST_FOUND_DAYS = 30
_OURS = (
    *(DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", WITNESS, LOCK, IMAGES, INCOMING, LOST_FOUND),
    *(JOBS, "judged.npz", "embeddings", "shown"),
)
"""What is written into the folder, also by others; whatever else is in it is not touched."""
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
            _make_folders(folder)
        with closing(connect(path, mode, wait_seconds)) as connection:
            if schema_of(connection, path) < SCHEMA:
                _update(connection, path, serve=serve, adopt=adopt)
            if mode is Mode.WRITE:
                log_ahead(connection, path)
    return mode


def _vouched(database: Database, found: Witnessed, said: Witnessed | None) -> bool:
    """Whether the witness vouches for the database; raises StoreDamaged where it tells of changes that are lost."""
    if (fault := found.fault(said)) is not None:
        if said is not None:
            raise damaged(database.path, fault)
        _log.warning("%s: %s", database.path.with_name(WITNESS), fault)
    return fault is None


def _make_folders(folder: Path) -> None:
    close_to_others(folder, _OURS)
    for name in (IMAGES, INCOMING):
        (folder / name).mkdir(PRIVATE_FOLDER, exist_ok=True)
    (folder / LOCK).touch(PRIVATE_FILE)  # so that it can be locked should the folder become read-only
    sync_folder(folder)


def _create(path: Path, *, adopt: bool) -> None:
    """Make an empty database."""
    if not adopt:
        _check_new(path)
    path.touch(PRIVATE_FILE)  # which the files of its write-ahead log get, too
    with closing(connect(path, Mode.CREATE, 0)) as connection:
        migrate(connection, path)


def _check_new(path: Path) -> None:
    """Raise StoreDamaged if there are images, or whatever else says that there was a database."""
    images, folder = path.parent / IMAGES, path.parent
    if images.is_dir() and any(images.glob("??/?*")):
        raise damaged(folder, f"it holds images, but no postings in {path.name}")
    for left in (folder / WITNESS, folder / f"{DATABASE}-wal"):
        if left.exists() and left.stat().st_size:
            raise damaged(folder, f"it holds {left.name}, but no postings in {path.name}")


def _update(connection: sqlite3.Connection, path: Path, *, serve: bool, adopt: bool) -> None:
    """Bring an older schema up to date, while no older pricematch serves it; raises StoreInUse."""
    lock = None if serve else ServiceLock(path.with_name(LOCK))
    try:
        before = schema_of(connection, path)
        if before == 0 and not adopt:
            _check_new(path)
        migrate(connection, path)
        _log.info("%s: schema %d became %d", path, before, SCHEMA)
    finally:
        if lock is not None:
            lock.close()


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
        Witness(folder / WITNESS).forget()
        sync_folder(folder)
    return aside


_log = logging.getLogger("pricematch")
KEPT_DELETIONS = 100_000
KEPT_EVENTS = 1_000_000


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
        fields: a `FieldStore`.
        answers: an `AnswerStore`.
        products: a `ProductStore`.
        feed: of the changes of all of these, a `ChangeFeed`.
        webhooks: how far each was told of them, a `WebhookStore`.
        jobs: a `JobStore`.
        database: what all but the images is in.
        unused: takes images away that no posting shows.
        lock: held while this process serves the store; None where it does not.
    """

    folder: Path
    postings: SqlitePostings
    images: ImageFiles
    computed: SqliteComputed
    feedback: SqliteFeedback
    products: SqliteProducts
    models: SqliteModels
    fields: SqliteFields
    answers: SqliteAnswers
    feed: SqliteFeed
    webhooks: SqliteWebhooks
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
    folder: Path,
    *,
    serve: bool = False,
    create: bool = True,
    adopt: bool = False,
    wait_seconds: float = WAIT_SECONDS,
    lost_found_days: int = LOST_FOUND_DAYS,
) -> Store:
    """Open the store in a folder; several processes may, but only one to serve it.

    To be served, its database is checked, and what a killed process left behind is deleted, or, images, set aside.

    Args:
        folder: where it is.
        serve: whether this is the process that serves it.
        create: whether to make one where there is none.
        adopt: whether to make one for images that have none.
        wait_seconds: how long anything waits for another process or thread.
        lost_found_days: how long images that were set aside are kept, where it is opened to be served.

    Raises:
        SettingsError: the folder cannot be made, or there is no store and none is to be made.
        StoreInUse: another process serves it.
        StoreNewer, StoreDamaged, StoreFull, StoreUnavailable: it cannot be opened.
    """
    path = folder / DATABASE
    if not path.exists():
        if not create:
            raise SettingsError(
                f"there is no store in {folder}; name its folder with --data, or its namespace with --namespace"
            )
        make_store_folder(folder)
    with store_errors(folder):
        lock = ServiceLock(folder / LOCK) if serve else None
    with ExitStack() as undo:
        if lock is not None:
            undo.callback(lock.close)
        witness = Witness(folder / WITNESS)
        with store_errors(path):
            if adopt and not path.exists():
                witness.forget()
            said = witness.read()  # before the database is opened, which only grows
            mode = prepare(path, wait_seconds, serve=serve, adopt=adopt)
            database = Database(path, mode, wait_seconds, witness)
            undo.callback(database.close)
            with database.read() as connection:
                found = witnessed(connection)
            vouched = _vouched(database, found, said)
        images = ImageFiles(folder / IMAGES)
        unused = UnusedImages(database, images, ImageFiles(folder / LOST_FOUND))
        if serve:
            check_whole(database)
            if mode is Mode.WRITE:
                _tidy(database, unused, folder / INCOMING, lost_found_days, LEFT_BY_A_KILL if vouched else 0)
        if mode is Mode.WRITE and (serve or vouched):
            with store_errors(folder):
                witness.begin(found)
        undo.pop_all()
    return Store(
        folder=folder,
        postings=SqlitePostings(database, images, folder / INCOMING, unused),
        images=images,
        computed=SqliteComputed(database),
        feedback=SqliteFeedback(database),
        products=SqliteProducts(database),
        models=SqliteModels(database),
        fields=SqliteFields(database),
        answers=SqliteAnswers(database),
        feed=SqliteFeed(database),
        webhooks=SqliteWebhooks(database),
        jobs=SqliteJobs(database),
        database=database,
        unused=unused,
        lock=lock,
    )


def _tidy(database: Database, unused: UnusedImages, incoming: Path, lost_found_days: int, tolerated: int) -> None:
    """Set unused images aside, delete unused files and old history; a failure is only logged.

    Raises:
        StoreDamaged: so many images are unused that the database may be incomplete.
    """
    try:
        mend_look_up(database)
        unused.sweep(tolerated)
        unused.purge(lost_found_days)
    except StoreDamaged:
        raise
    except StoreError as error:
        _log.warning("images that no posting shows are where they were: %s", error)
    try:
        with store_errors(incoming):
            sweep_incoming(incoming)
        with database.write(witness=False) as connection:
            forget_history(connection, KEPT_DELETIONS)
            forget_events(connection, KEPT_EVENTS)
    except StoreError as error:
        _log.warning("%s could not be tidied: %s", incoming.parent, error)
