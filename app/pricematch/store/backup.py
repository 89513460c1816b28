"""Backing up a store while it is in use, and replacing its contents by those of a backup."""

import hashlib
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

from pricematch.errors import ImageUnavailable, StoreDamaged, StoreFull
from pricematch.formats.atomic_writes import check_output, make_folder, whole_file
from pricematch.progress import Progress
from pricematch.settings import Settings
from pricematch.store.backup_file import BackupReader, BackupWriter, Manifest, not_whole, open_backup
from pricematch.store.folder import PRIVATE_FILE, PRIVATE_FOLDER, damaged, held, store_errors
from pricematch.store.image_files import incoming_images
from pricematch.store.sqlite.backup import Counted, Replaced, copy_database, counted, opened_copy, replace_contents
from pricematch.store.sqlite.checks import check_whole, row_faults
from pricematch.store.sqlite.database import Mode, connect
from pricematch.store.sqlite.schema import SCHEMA
from pricematch.store.sqlite.shown_images import showing
from pricematch.store.sqlite.store import DATABASE, INCOMING, WAIT_SECONDS, Store, open_store, set_aside

_PLACED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A backup that was written: counts, the catalogue's version, bytes of the file, and seconds it took."""

    counted: Counted
    size: int
    seconds: float


def backup(settings: Settings, output: Path, progress: Progress) -> BackedUp:
    """Write postings, images, feedback, products and what was computed to one file, as they are at one version.

    Others read and write the store meanwhile. Images that they delete stay until the backup is done.

    Args:
        settings: where the store is.
        output: the file; it appears whole or not at all.
        progress: reports what is being done.

    Raises:
        SettingsError: there is no store, or the file cannot be written.
        StoreDamaged: the store is not whole, or a posting's image is not there; nothing is written.
        StoreError: the store cannot be read.
    """
    check_output(output, [settings.data / DATABASE])
    make_folder(output.parent)
    begun = time.monotonic()
    with (
        closing(open_store(settings.data, create=False)) as store,
        store.unused.kept(),
        tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as folder,
    ):
        copy = Path(folder) / DATABASE
        progress("Copying the database", 0, 1)
        try:
            copy_database(store.database, copy)
        except StoreFull as error:
            raise StoreFull(f"there is no room left in {output.parent}") from error
        progress("Copying the database", 1, 1)
        _refuse_damaged(store, copy)
        what = _write(store, copy, output, progress)
    return BackedUp(what, output.stat().st_size, time.monotonic() - begun)


def _refuse_damaged(store: Store, copy: Path) -> None:
    """Raise StoreDamaged if a row is not as it was written, but for those that can be computed again."""
    with closing(connect(copy, Mode.READ, 0)) as connection:
        if faults := list(row_faults(connection)):
            raise damaged(store.database.path, "; ".join(faults))


def _write(store: Store, copy: Path, output: Path, progress: Progress) -> Counted:
    """Write the file."""
    with closing(sqlite3.connect(copy)) as connection:
        what = counted(connection)
    with copy.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    now, images = datetime.now(UTC).isoformat(timespec="seconds"), len(what.images)
    manifest = Manifest(SCHEMA, what.version, now, what.postings, what.verdicts, images, digest)
    with whole_file(output, PRIVATE_FILE) as file:
        writer = BackupWriter(file, manifest, copy)
        for done, image in enumerate(what.images):
            progress("Copying images", done, images)
            writer.add(image, _read(store, image))
        writer.end()
    progress("Copying images", images, images)
    return what


def _read(store: Store, digest: bytes) -> bytes:
    """An image, checked; raises StoreDamaged."""
    try:
        return store.images.read(digest.hex())
    except ImageUnavailable as error:
        with store.database.read() as connection:
            names = ", ".join(showing(connection, digest, 3))
        raise StoreDamaged(f"{error}; put the postings that show it again, or delete them: {names}") from error


@dataclass(frozen=True, slots=True)
class Restored:
    """The changes by a backup, its manifest, and where the damaged database is that was there, if it was."""

    manifest: Manifest
    replaced: Replaced
    set_aside: Path | None
    seconds: float


def restore(settings: Settings, source: Path, progress: Progress) -> Restored:
    """Make postings, feedback and products of a store those of a backup; a service that runs on it follows.

    The whole file is checked first. Postings that are as they are in the backup stay as they are; the others change in
    one transaction. Jobs and the choice of models stay, and numbers of products are never given again. A damaged
    database is moved aside.

    Args:
        settings: where the store is; it is made if there is none.
        source: the backup.
        progress: reports what is being done.

    Raises:
        SettingsError: the file cannot be read, or the folder cannot be written to.
        StoreDamaged, StoreNewer: the backup is not whole, or not for this pricematch; nothing is changed.
        StoreInUse: the database is damaged, and a service runs on it.
        StoreError: the store cannot be written to; no posting, feedback or product is changed.
    """
    begun = time.monotonic()
    with open_backup(source) as file, _room_for_copy(settings.data) as copied:
        reader = BackupReader(source, file)
        reader.copy_database(copied)
        with _checked(source, reader, copied, progress) as copy:
            store, aside = _open(settings.data)
            with closing(store), store.unused.kept(tolerated=None):
                _place(store, reader, progress)
                progress("Replacing postings", 0, reader.manifest.postings)
                with store.database.write() as connection:
                    replaced = replace_contents(connection, copy)
                progress("Replacing postings", reader.manifest.postings, reader.manifest.postings)
    return Restored(reader.manifest, replaced, aside, time.monotonic() - begun)


@contextmanager
def _room_for_copy(folder: Path) -> Iterator[Path]:
    """A file in the store's folder, which is not swept meanwhile."""
    make_folder(folder, PRIVATE_FOLDER)
    make_folder(folder / INCOMING, PRIVATE_FOLDER)
    with (
        store_errors(folder),
        held(folder / INCOMING, shared=True, wait_seconds=WAIT_SECONDS),
        NamedTemporaryFile(dir=folder / INCOMING) as file,
    ):
        yield Path(file.name)


@contextmanager
def _checked(source: Path, reader: BackupReader, copied: Path, progress: Progress) -> Iterator[sqlite3.Connection]:
    """The database of a backup, after all of the file was read and found whole; raises StoreDamaged."""
    with opened_copy(source, copied, reader.manifest.schema) as copy:
        held_by_copy = counted(copy)
        shown, total = iter(held_by_copy.images), len(held_by_copy.images)
        for done, (digest, _) in enumerate(reader.images()):
            progress("Checking the backup", done, total)
            if digest != next(shown, None):
                raise not_whole(source, "its images are not those that its postings show")
        if next(shown, None) is not None:
            raise not_whole(source, "it lacks an image that a posting shows")
        progress("Checking the backup", total, total)
        yield copy


def _open(folder: Path) -> tuple[Store, Path | None]:
    """The store, and where the damaged database is that was in its place."""
    try:
        store = open_store(folder, adopt=True)
        try:
            check_whole(store.database)
        except BaseException:
            store.close()
            raise
    except StoreDamaged:
        aside = set_aside(folder)
        return open_store(folder, adopt=True), aside
    return store, None


def _place(store: Store, reader: BackupReader, progress: Progress) -> None:
    """Store the images; those that no posting comes to show are deleted when the store is next opened to be served."""
    total = reader.manifest.pictures
    with store_errors(store.folder), incoming_images(store.folder / INCOMING, store.images, WAIT_SECONDS) as incoming:
        for done, (digest, image) in enumerate(reader.images()):
            progress("Storing images", done, total)
            incoming.write(digest, image)
            if done % _PLACED_AT_ONCE == _PLACED_AT_ONCE - 1:
                with store.database.write():
                    incoming.place()
        with store.database.write():
            incoming.place()
    progress("Storing images", total, total)
