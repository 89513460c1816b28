"""A backup of a store, taken while it is in use."""

import hashlib
import sqlite3
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pricematch.errors import ImageUnavailable, StoreDamaged, StoreFull
from pricematch.formats.whole_file import check_output, make_folder, whole_file
from pricematch.progress import Progress
from pricematch.settings import Settings
from pricematch.store.backup_file import BackupWriter, Manifest
from pricematch.store.sqlite.backup import Counted, copy_database, counted
from pricematch.store.sqlite.opening import DATABASE
from pricematch.store.sqlite.schema import SCHEMA
from pricematch.store.sqlite.store import Store, open_store


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What was written: counts, the catalogue's version, bytes of the file, and seconds it took."""

    counted: Counted
    size: int
    seconds: float


def backup(settings: Settings, output: Path, progress: Progress) -> BackedUp:
    """Write postings, pictures, verdicts and what was computed to one file, as they are at one version.

    Others read and write the store meanwhile. Pictures that they delete stay until the backup is done.

    Args:
        settings: where the store is.
        output: the file; it appears whole or not at all.
        progress: is told what is being done.

    Raises:
        SettingsError: there is no store, or the file cannot be written.
        StoreDamaged: the store is not whole, or a posting's picture is not there; nothing is written.
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
        what = _write(store, copy, output, progress)
    return BackedUp(what, output.stat().st_size, time.monotonic() - begun)


def _write(store: Store, copy: Path, output: Path, progress: Progress) -> Counted:
    """Write the file."""
    with closing(sqlite3.connect(copy)) as connection:
        what = counted(connection)
    with copy.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    now, pictures = datetime.now(UTC).isoformat(timespec="seconds"), len(what.pictures)
    manifest = Manifest(SCHEMA, what.version, now, what.postings, what.verdicts, pictures, digest)
    with whole_file(output) as file:
        writer = BackupWriter(file, manifest, copy)
        for done, picture in enumerate(what.pictures):
            progress("Copying pictures", done, pictures)
            writer.add(picture, _read(store, picture))
        writer.end()
    progress("Copying pictures", pictures, pictures)
    return what


def _read(store: Store, picture: bytes) -> bytes:
    """A picture, checked; raises StoreDamaged."""
    try:
        return store.images.read(picture.hex())
    except ImageUnavailable as error:
        with store.database.read() as connection:
            shown = connection.execute("SELECT posting_id FROM posting WHERE image = ? LIMIT 3", (picture,)).fetchall()
        names = ", ".join(posting_id for (posting_id,) in shown)
        raise StoreDamaged(f"{error}; put the postings that show it again, or delete them: {names}") from error
