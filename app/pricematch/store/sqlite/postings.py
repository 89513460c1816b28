"""Postings in SQLite, their images in files."""

import hashlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import ANYHOW, Changes, Condition, Kept, Patch, Put, Stored
from pricematch.errors import ConditionFailed, ImageUnavailable, PostingNotFound, RowDamaged
from pricematch.store.folder import store_errors
from pricematch.store.image_files import ImageFiles, image_digest, incoming_images
from pricematch.store.sqlite.changes import changes_since, next_revision, posting_of, version
from pricematch.store.sqlite.checksums import Row, insertion, opened, sealed, selected
from pricematch.store.sqlite.database import Database
from pricematch.store.sqlite.unused_images import UnusedImages

COLUMNS = selected("posting")
_WRITE = (
    f"{insertion('posting')} ON CONFLICT (posting_id) DO UPDATE SET image = excluded.image, title = excluded.title, "
    "image_phash = excluded.image_phash, label_group = excluded.label_group, revision = excluded.revision, "
    "metadata = excluded.metadata, checksum = excluded.checksum"
)


def find(connection: sqlite3.Connection, posting_id: str) -> Stored | None:
    """The posting with an id, if it is stored; raises RowDamaged."""
    row = connection.execute(f"SELECT {COLUMNS} FROM posting WHERE posting_id = ?", (posting_id,)).fetchone()
    return None if row is None else _stored(row)


def _stored(row: Row) -> Stored:
    values = opened("posting", row)
    return Stored(posting_of(values), values[5])


def _before(connection: sqlite3.Connection, posting_id: str) -> Stored | RowDamaged | None:
    """The posting that is to be replaced or deleted, which a damaged one may be."""
    try:
        return find(connection, posting_id)
    except RowDamaged as error:
        return error


def write(connection: sqlite3.Connection, posting: Posting) -> int:
    """Store a posting, in place of the one with its id if there is one; its revision."""
    revision = next_revision(connection)
    image = None if posting.image is None else image_digest(posting.image)
    metadata = posting.metadata.text if posting.metadata else None
    values = (posting.posting_id, image, posting.title, posting.image_phash, posting.label_group, revision, metadata)
    connection.execute(_WRITE, sealed(*values))
    connection.execute("DELETE FROM posting_gone WHERE posting_id = ?", (posting.posting_id,))
    return revision


def remove(connection: sqlite3.Connection, posting_id: str) -> None:
    """Delete a posting that is stored, and remember that it was there."""
    connection.execute("DELETE FROM posting WHERE posting_id = ?", (posting_id,))
    connection.execute("INSERT INTO posting_gone VALUES (?, ?)", (posting_id, next_revision(connection)))


class SqlitePostings:
    """Implements `ports.PostingStore`."""

    def __init__(self, database: Database, images: ImageFiles, incoming: Path, unused: UnusedImages) -> None:
        self._database, self._images, self._incoming, self._unused = database, images, incoming, unused

    def version(self) -> int:
        """See the port."""
        with self._database.read() as connection:
            return version(connection)

    def renew(self) -> int:
        """See the port."""
        with self._database.write() as connection:
            return next_revision(connection)

    def count(self) -> int:
        """See the port."""
        with self._database.read() as connection:
            return int(connection.execute("SELECT count(*) FROM posting").fetchone()[0])

    def has_images(self) -> bool:
        """Whether any posting has an image."""
        with self._database.read() as connection:
            return connection.execute("SELECT 1 FROM posting WHERE image IS NOT NULL LIMIT 1").fetchone() is not None

    def get(self, posting_id: str) -> Stored | None:
        """See the port."""
        with self._database.read() as connection:
            return find(connection, posting_id)

    def page(self, after: str, limit: int) -> Sequence[Stored]:
        """See the port."""
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM posting WHERE posting_id > ? ORDER BY posting_id LIMIT ?", (after, limit)
            ).fetchall()
        return [_stored(row) for row in rows]

    def put(self, puts: Sequence[Put]) -> Sequence[Kept]:
        """See the port; raises ValueError for an image that is not the one its posting names."""
        return self._written(_images(puts), lambda _: puts)[1]

    def patch(self, patch: Patch) -> tuple[Posting, Kept]:
        """See the port."""

        def patched(connection: sqlite3.Connection) -> Sequence[Put]:
            if (stored := find(connection, patch.posting_id)) is None:
                raise PostingNotFound(patch.posting_id)
            _check(patch.condition, patch.posting_id, stored)
            return [Put(patch.change(stored.posting))]

        images = {} if patch.image is None else {hashlib.sha256(patch.image).digest(): patch.image}
        [put], [kept] = self._written(images, patched)
        return put.posting, kept

    def _written(
        self, images: Mapping[bytes, bytes], puts_of: Callable[[sqlite3.Connection], Sequence[Put]]
    ) -> tuple[Sequence[Put], Sequence[Kept]]:
        """Make the puts that a transaction says, given the images by digest that they bring; these, and what became."""
        puts: Sequence[Put] = ()
        with (
            store_errors(self._incoming),
            incoming_images(self._incoming, self._images, self._database.wait_seconds) as incoming,
        ):
            for digest, content in images.items():
                incoming.write(digest, content)
            try:
                with self._database.write() as connection:
                    puts = puts_of(connection)
                    before = [_before(connection, put.posting.posting_id) for put in puts]
                    kept = [_put(connection, put) for put in puts]
                    incoming.place()
                    self._check_images(puts)
            except BaseException:
                self._unused.doubt(images)
                raise
        self._unused.release(_replaced(before, puts))
        return puts, kept

    def delete(self, posting_id: str, condition: Condition = ANYHOW) -> bool:
        """See the port."""
        with self._database.write() as connection:
            stored = _before(connection, posting_id)
            _check(condition, posting_id, stored)
            if stored is None:
                return False
            remove(connection, posting_id)
        if isinstance(stored, Stored) and stored.posting.image is not None:
            self._unused.release([bytes.fromhex(stored.posting.image)])
        return True

    def changes(self, since: int) -> Changes:
        """See the port."""
        with self._database.read() as connection:
            return changes_since(connection, since)

    def _check_images(self, puts: Sequence[Put]) -> None:
        """Raise ImageUnavailable if a posting was to be stored whose image is not."""
        digests = {image_digest(put.posting.image) for put in puts if put.posting.image is not None}
        for digest in digests:
            if not self._images.has(digest):
                raise ImageUnavailable(f"the image {digest.hex()} is not stored, and was not given")


def _put(connection: sqlite3.Connection, put: Put) -> Kept:
    stored = _before(connection, put.posting.posting_id)
    _check(put.condition, put.posting.posting_id, stored)
    if stored is None:
        return Kept(write(connection, put.posting), "created")
    if isinstance(stored, Stored) and stored.posting == put.posting:
        return Kept(stored.revision, "unchanged")
    return Kept(write(connection, put.posting), "replaced")


def _check(condition: Condition, posting_id: str, stored: Stored | RowDamaged | None) -> None:
    """Raise ConditionFailed if a posting is not as it must be, RowDamaged if that cannot be told."""
    if condition.revisions is not None and isinstance(stored, RowDamaged):
        raise stored
    if condition.exists is not None and condition.exists != (stored is not None):
        raise ConditionFailed(f"the posting {posting_id!r} {'is' if stored else 'is not'} there")
    revision = stored.revision if isinstance(stored, Stored) else None
    if condition.revisions is not None and revision not in condition.revisions:
        how = "is not there" if revision is None else f"is of revision {revision}"
        raise ConditionFailed(f"the posting {posting_id!r} {how}, and was to be changed only as it was before")


def _images(puts: Sequence[Put]) -> dict[bytes, bytes]:
    """The images that are given, by digest; raises ValueError if one is not what its posting says."""
    images = {}
    for put in puts:
        named = None if put.posting.image is None else image_digest(put.posting.image)
        if put.image is not None:
            if hashlib.sha256(put.image).digest() != named:
                raise ValueError(f"the image of {put.posting.posting_id!r} has another digest than the posting says")
            images[named] = put.image
    return images


def _replaced(before: Sequence[Stored | RowDamaged | None], puts: Sequence[Put]) -> set[bytes]:
    """Images that postings showed, or were to show for a moment, and do not show now."""
    shown = {stored.posting.image for stored in before if isinstance(stored, Stored)}
    last = {put.posting.posting_id: put.posting.image for put in puts}
    between = {put.posting.image for put in puts}
    return {bytes.fromhex(name) for name in (shown | between) - set(last.values()) if name is not None}
