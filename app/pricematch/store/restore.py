"""A backup that takes the place of what a store holds, while it is in use."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from pricematch.errors import StoreDamaged
from pricematch.formats.whole_file import make_folder
from pricematch.progress import Progress
from pricematch.settings import Settings
from pricematch.store.backup_file import Manifest
from pricematch.store.backup_reader import BackupReader, not_whole, open_backup
from pricematch.store.errors import store_errors
from pricematch.store.folder_locks import held
from pricematch.store.incoming_images import incoming_images
from pricematch.store.sqlite.backup import Replaced, counted, opened_copy, replace_contents
from pricematch.store.sqlite.opening import INCOMING, WAIT_SECONDS, set_aside
from pricematch.store.sqlite.store import Store, check_store, open_store

_PLACED_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Restored:
    """What became different, from which backup, and where the damaged database is that was there, if it was."""

    manifest: Manifest
    replaced: Replaced
    set_aside: Path | None
    seconds: float


def restore(settings: Settings, source: Path, progress: Progress) -> Restored:
    """Make the postings and verdicts of a store those of a backup; a service that runs on it follows.

    The whole file is checked first. Postings that are as they are in the backup stay as they are; the others change in
    one transaction. Jobs and the choice of models stay. A damaged database is moved aside.

    Args:
        settings: where the store is; it is made if there is none.
        source: the backup.
        progress: is told what is being done.

    Raises:
        SettingsError: the file cannot be read, or the folder cannot be written to.
        StoreDamaged, StoreNewer: the backup is not whole, or not for this pricematch; nothing is changed.
        StoreInUse: the database is damaged, and a service runs on it.
        StoreError: the store cannot be written to; no posting or verdict is changed.
    """
    begun = time.monotonic()
    with open_backup(source) as file, _room_for_copy(settings.data) as copied:
        reader = BackupReader(source, file)
        reader.copy_database(copied)
        with _checked(source, reader, copied, progress) as copy:
            store, aside = _open(settings.data)
            with closing(store), store.unused.kept():
                file.seek(0)
                _place(store, BackupReader(source, file), progress)
                progress("Replacing postings", 0, reader.manifest.postings)
                with store.database.write() as connection:
                    replaced = replace_contents(connection, copy)
                progress("Replacing postings", reader.manifest.postings, reader.manifest.postings)
    return Restored(reader.manifest, replaced, aside, time.monotonic() - begun)


@contextmanager
def _room_for_copy(folder: Path) -> Iterator[Path]:
    """A file in the store's folder, which nobody sweeps up meanwhile."""
    make_folder(folder / INCOMING)
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
        shown, total = iter(held_by_copy.pictures), len(held_by_copy.pictures)
        for done, (digest, _) in enumerate(reader.pictures()):
            progress("Checking the backup", done, total)
            if digest != next(shown, None):
                raise not_whole(source, "its pictures are not those that its postings show")
        if next(shown, None) is not None:
            raise not_whole(source, "it lacks a picture that a posting shows")
        progress("Checking the backup", total, total)
        yield copy


def _open(folder: Path) -> tuple[Store, Path | None]:
    """The store, and where the damaged database is that was in its place."""
    try:
        store = open_store(folder, adopt=True)
    except StoreDamaged:
        return _anew(folder)
    try:
        check_store(store)
    except StoreDamaged:
        store.close()
        return _anew(folder)
    return store, None


def _anew(folder: Path) -> tuple[Store, Path]:
    aside = set_aside(folder)
    return open_store(folder, adopt=True), aside


def _place(store: Store, reader: BackupReader, progress: Progress) -> None:
    """Store the pictures; those that no posting comes to show are deleted by whoever opens the store next."""
    total = reader.manifest.pictures
    reader.skip_database()
    with store_errors(store.folder), incoming_images(store.folder / INCOMING, store.images, WAIT_SECONDS) as incoming:
        for done, (digest, image) in enumerate(reader.pictures()):
            progress("Storing pictures", done, total)
            incoming.write(digest, image)
            if done % _PLACED_AT_ONCE == _PLACED_AT_ONCE - 1:
                with store.database.write():
                    incoming.place()
        with store.database.write():
            incoming.place()
    progress("Storing pictures", total, total)
