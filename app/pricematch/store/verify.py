"""Reading everything in a store to say what is wrong with it, and going on with what is left of a damaged one."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from pricematch.errors import ImageUnavailable, ImportRefused, SettingsError, StoreDamaged, StoreError
from pricematch.progress import Progress
from pricematch.settings import Settings
from pricematch.store.folder import ServiceLock, store_errors
from pricematch.store.image_files import ImageFiles
from pricematch.store.job_files import JobFiles
from pricematch.store.sqlite.changes import forget_all
from pricematch.store.sqlite.checks import structure_faults
from pricematch.store.sqlite.checksums import COLUMNS, count_rows, damaged_rows, delete_damaged
from pricematch.store.sqlite.database import Database, witnessed
from pricematch.store.sqlite.jobs import SqliteJobs
from pricematch.store.sqlite.product_rows import mend
from pricematch.store.sqlite.shown_images import count_more, look_up_fault, make_anew, showing, shown_images
from pricematch.store.sqlite.store import (
    DATABASE,
    IMAGES,
    JOBS,
    LOCK,
    LOST_FOUND,
    WAIT_SECONDS,
    WITNESS,
    open_store,
    prepare,
    set_aside,
)
from pricematch.store.sqlite.unused_images import UnusedImages
from pricematch.store.witness import Witness


@dataclass(frozen=True, slots=True)
class Checked:
    """What was read, how many of it, and what is wrong."""

    what: str
    count: int
    faults: list[str] = field(default_factory=list)


def verify(settings: Settings, progress: Progress) -> list[Checked]:
    """Read all of a store, while a service may run on it: pages, rows, images, and what its witness says.

    Args:
        settings: where the store is.
        progress: reports what is being done.

    Raises:
        SettingsError: there is no store.
        StoreError: it cannot be read at all; the sentence says what to do.
    """
    folder = _folder(settings)
    said = Witness(folder / WITNESS).read()
    with closing(_opened(folder, locked=False)) as database:
        found = [_checked_database(database, progress)]
        with database.read() as connection:
            now = witnessed(connection)
        found.append(Checked("transactions of the witness", 0 if said is None else said.changes))
        found[-1].faults.extend(filter(None, [now.fault(said)]))
        for place, table in enumerate(COLUMNS):
            progress("Reading rows", place, len(COLUMNS))
            found.append(_checked_rows(database, table))
        progress("Reading rows", len(COLUMNS), len(COLUMNS))
        found += _checked_images(database, folder, progress)
        found.append(_checked_jobs(database, folder))
    return found


def accept_loss(settings: Settings) -> list[str]:
    """Go on with what is left of a damaged store: what was given up, as sentences.

    Damaged rows are deleted, indexes made anew, images that no posting shows set aside; the database counts as
    complete from now on. One that cannot be mended is moved aside, and an empty one takes its place.

    Args:
        settings: where the store is.

    Raises:
        SettingsError: there is no store.
        StoreInUse: a service runs on it.
        StoreError: it cannot be written to.
    """
    folder = _folder(settings)
    try:
        with store_errors(folder), closing(ServiceLock(folder / LOCK)), closing(_opened(folder, locked=True)) as mended:
            given_up = _mended(mended)
            _settle(mended, folder)
    except StoreDamaged:
        aside = set_aside(folder)
        given_up = [f"the database cannot be mended; it is now {aside}, and an empty one is in its place"]
        with closing(open_store(folder, adopt=True)) as store:
            store.unused.sweep(tolerated=None)
    return given_up


def _folder(settings: Settings) -> Path:
    folder = settings.data
    if not any((folder / name).exists() for name in (DATABASE, WITNESS, IMAGES)):
        raise SettingsError(
            f"there is no store in {folder}; name its folder with --data, or its namespace with --namespace"
        )
    return folder


def _opened(folder: Path, *, locked: bool) -> Database:
    """The database, whatever is wrong with it; whether this process holds the lock of a service."""
    path = folder / DATABASE
    with store_errors(path):
        mode = prepare(path, WAIT_SECONDS, serve=locked, adopt=locked)
    return Database(path, mode, WAIT_SECONDS, Witness(folder / WITNESS))


def _checked_database(database: Database, progress: Progress) -> Checked:
    progress("Reading the database", 0, 1)
    checked = Checked("pages of the database", 0)
    try:
        with database.read() as connection:
            checked = Checked("pages of the database", connection.execute("PRAGMA page_count").fetchone()[0])
            checked.faults.extend(structure_faults(connection))
    except StoreError as error:
        checked.faults.append(str(error))
    progress("Reading the database", 1, 1)
    return checked


def _checked_rows(database: Database, table: str) -> Checked:
    checked = Checked(f"rows of {table}", 0)
    try:
        with database.read() as connection:
            checked = Checked(checked.what, count_rows(connection, table))
            checked.faults.extend(f"{name} is not as it was written" for _, name in damaged_rows(connection, table))
    except StoreError as error:
        checked.faults.append(str(error))
    return checked


def _checked_jobs(database: Database, folder: Path) -> Checked:
    checked, files = Checked("files of jobs that wait or run", 0), JobFiles(folder / JOBS)
    try:
        specs = {job.job_id: json.loads(job.spec) for job in SqliteJobs(database).jobs() if not job.ended}
    except StoreError as error:
        return replace(checked, faults=[str(error)])
    for job_id, spec in specs.items():
        digests = spec.get("digests", {})
        checked = replace(checked, count=checked.count + len(digests))
        try:
            files.check(job_id, digests)
        except ImportRefused as error:
            checked.faults.append(f"job {job_id}: {error}")
    return checked


def _checked_images(database: Database, folder: Path, progress: Progress) -> Iterator[Checked]:
    images, lost = ImageFiles(folder / IMAGES), ImageFiles(folder / LOST_FOUND)
    prefixes = [bytes([prefix]) for prefix in range(256)]
    shown, faults, count, fault = list[bytes](), list[str](), 0, None
    try:
        with database.read() as connection:
            shown, count, fault = shown_images(connection), count_more(connection), look_up_fault(connection)
    except StoreError as error:
        faults.append(str(error))
    for done, digest in enumerate(shown):
        progress("Reading images", done, len(shown))
        try:
            images.read(digest.hex())
        except ImageUnavailable as error:
            if (posting_id := _showing(database, digest)) is not None:  # else it was deleted meanwhile
                faults.append(f"{error}; the posting {posting_id!r} shows it")
    progress("Reading images", len(shown), len(shown))
    yield Checked("images that postings show", len(shown), faults)
    yield Checked("rows of more_image", count, _mended_at_start(fault))
    known = set(shown)
    yield Checked("images that none shows", sum(len(images.digests(prefix) - known) for prefix in prefixes))
    yield Checked(f"images in {LOST_FOUND}", sum(len(lost.digests(prefix)) for prefix in prefixes))


def _showing(database: Database, digest: bytes) -> str | None:
    with database.read() as connection:
        return next(iter(showing(connection, digest, 1)), None)


def _mended_at_start(fault: str | None) -> list[str]:
    """A fault of the look-up of images, if there is one, with what becomes of it."""
    return [] if fault is None else [f"{fault}; the next start of a service makes it anew"]


def _mended(database: Database) -> list[str]:
    """What was deleted, so that the database is whole; raises StoreDamaged if that cannot be done."""
    with database.write() as connection:
        connection.execute("REINDEX")
        given_up = list[str]()
        for table in COLUMNS:
            given_up += [f"{name} was damaged, and is deleted" for name in delete_damaged(connection, table)]
        make_anew(connection)
        forget_all(connection)
        mend(connection)
        if faults := list(structure_faults(connection)):
            raise StoreDamaged("; ".join(faults))
    return given_up


def _settle(database: Database, folder: Path) -> None:
    """Have the witness vouch for the database, and set images aside that no posting shows."""
    witness = Witness(folder / WITNESS)
    with store_errors(folder), database.read() as connection:
        witness.forget()
        witness.begin(witnessed(connection))
    UnusedImages(database, ImageFiles(folder / IMAGES), ImageFiles(folder / LOST_FOUND)).sweep(tolerated=None)
