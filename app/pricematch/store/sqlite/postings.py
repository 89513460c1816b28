"""Postings in SQLite, their images in files."""

import hashlib
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import (
    ANYHOW,
    Condition,
    Kept,
    Patch,
    Put,
    PutOutcome,
    Removal,
    Removed,
    Stored,
)
from pricematch.errors import ConditionFailed, FieldInvalid, ImageUnavailable, PostingNotFound, RowDamaged
from pricematch.store.folder import store_errors
from pricematch.store.image_files import ImageFiles, image_digest, incoming_images
from pricematch.store.ports import ChangeOutcome
from pricematch.store.sqlite.changes import next_revision, posting_of, version
from pricematch.store.sqlite.checksums import Row, insertion, opened, sealed, selected
from pricematch.store.sqlite.database import Database
from pricematch.store.sqlite.shown_images import joined, write_more
from pricematch.store.sqlite.unused_images import UnusedImages

COLUMNS = selected("posting")
_WRITE = (
    f"{insertion('posting')} ON CONFLICT (posting_id) DO UPDATE SET image = excluded.image, title = excluded.title, "
    "image_phash = excluded.image_phash, label_group = excluded.label_group, revision = excluded.revision, "
    "metadata = excluded.metadata, more_images = excluded.more_images, checksum = excluded.checksum"
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
    more = joined(posting.more_images)
    connection.execute(_WRITE, sealed(*values, more))
    write_more(connection, posting.posting_id, more)
    connection.execute("DELETE FROM posting_gone WHERE posting_id = ?", (posting.posting_id,))
    return revision


def remove(connection: sqlite3.Connection, posting_id: str) -> None:
    """Delete a posting that is stored, and remember that it was there."""
    connection.execute("DELETE FROM posting WHERE posting_id = ?", (posting_id,))
    write_more(connection, posting_id, None)
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
        """See the port; raises ValueError for an image that its posting does not name."""
        steps = self._written(puts, lambda connection, images: [self._put(connection, put, images) for put in puts])
        return [step.kept for step in steps if step.kept is not None]

    def patch(self, patch: Patch) -> tuple[Posting, Kept]:
        """See the port."""
        [step] = self._written([patch], lambda connection, images: [self._patch(connection, patch, images)])
        return cast("Posting", step.after), cast("Kept", step.kept)

    def change_each(self, changes: Sequence[Put | Patch | Removal]) -> Sequence[ChangeOutcome]:
        """See the port; raises ValueError as `put`."""
        outcomes = list[ChangeOutcome]()

        def change(connection: sqlite3.Connection, images: Collection[bytes]) -> Sequence[_Step]:
            steps = list[_Step]()
            for it in changes:
                try:
                    step = self._step(connection, it, images)
                except _REFUSALS as error:
                    outcomes.append(error)
                else:
                    steps.append(step)
                    outcomes.append(step.kept or Removed(step.before is not None and step.after is None))
            return steps

        self._written(changes, change)
        return outcomes

    def delete(self, posting_id: str, condition: Condition = ANYHOW) -> bool:
        """See the port."""
        with self._database.write() as connection:
            step = _remove(connection, Removal(posting_id, condition))
        self._unused.release(_unshown([step]))
        return step.before is not None

    def _written(
        self,
        changes: Sequence[Put | Patch | Removal],
        write: Callable[[sqlite3.Connection, Collection[bytes]], Sequence["_Step"]],
    ) -> Sequence["_Step"]:
        """Make the steps of a transaction, given the digests of the images that the changes bring."""
        images = _images(changes)
        with (
            store_errors(self._incoming),
            incoming_images(self._incoming, self._images, self._database.wait_seconds) as incoming,
        ):
            for digest, content in images.items():
                incoming.write(digest, content)
            try:
                with self._database.write() as connection:
                    steps = write(connection, images.keys())
                    incoming.place()
            except BaseException:
                self._unused.doubt(images)
                raise
        self._unused.release({*_unshown(steps), *(images.keys() - _shown(steps))})
        return steps

    def _step(
        self, connection: sqlite3.Connection, change: Put | Patch | Removal, images: Collection[bytes]
    ) -> "_Step":
        if isinstance(change, Put):
            return self._put(connection, change, images)
        if isinstance(change, Patch):
            return self._patch(connection, change, images)
        return _remove(connection, change)

    def _patch(self, connection: sqlite3.Connection, patch: Patch, images: Collection[bytes]) -> "_Step":
        if (stored := find(connection, patch.posting_id)) is None:
            raise PostingNotFound(patch.posting_id)
        _check(patch.condition, patch.posting_id, stored)
        return self._put(connection, Put(patch.change(stored.posting)), images)

    def _put(self, connection: sqlite3.Connection, put: Put, images: Collection[bytes]) -> "_Step":
        posting = put.posting
        stored = _before(connection, posting.posting_id)
        _check(put.condition, posting.posting_id, stored)
        shown = set(stored.posting.images) if isinstance(stored, Stored) else set()  # one whose file is lost keeps it
        for digest in map(image_digest, (it for it in posting.images if it not in shown)):
            if digest not in images and not self._images.has(digest):
                raise ImageUnavailable(f"the image {digest.hex()} is not stored, and was not given")
        if isinstance(stored, Stored) and stored.posting == posting:
            return _Step(posting.posting_id, stored, posting, Kept(stored.revision, "unchanged"))
        outcome: PutOutcome = "created" if stored is None else "replaced"
        return _Step(posting.posting_id, stored, posting, Kept(write(connection, posting), outcome))


_REFUSALS = (ConditionFailed, PostingNotFound, FieldInvalid, RowDamaged, ImageUnavailable)
"""Why one of several changes is not made, and the others are."""


@dataclass(frozen=True)
class _Step:
    """A change that was made: what was there before, what is there now, and what a put has made of it."""

    posting_id: str
    before: Stored | RowDamaged | None
    after: Posting | None
    kept: Kept | None = None


def _remove(connection: sqlite3.Connection, removal: Removal) -> _Step:
    stored = _before(connection, removal.posting_id)
    _check(removal.condition, removal.posting_id, stored)
    if removal.when is not None and stored is not None:
        if isinstance(stored, RowDamaged):
            raise stored
        if not removal.when(stored.posting):
            return _Step(removal.posting_id, stored, stored.posting)
    if stored is not None:
        remove(connection, removal.posting_id)
    return _Step(removal.posting_id, stored, None)


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


def _images(changes: Sequence[Put | Patch | Removal]) -> dict[bytes, bytes]:
    """The images that are given, by digest; raises ValueError if its posting does not name one."""
    images = {}
    for change in changes:
        for image in () if isinstance(change, Removal) else change.images:
            digest = hashlib.sha256(image).digest()
            if isinstance(change, Put) and digest.hex() not in change.posting.images:
                raise ValueError(f"an image of {change.posting.posting_id!r} has another digest than the posting says")
            images[digest] = image
    return images


def _unshown(steps: Sequence[_Step]) -> set[bytes]:
    """Images that postings showed, or were to show for a moment, and do not show now."""
    before = [step.before.posting for step in steps if isinstance(step.before, Stored)]
    between = [step.after for step in steps if step.after is not None]
    return (_digests(before) | _digests(between)) - _shown(steps)


def _shown(steps: Sequence[_Step]) -> set[bytes]:
    """Images that the postings of some steps show now."""
    last = {step.posting_id: step.after for step in steps}
    return _digests(it for it in last.values() if it is not None)


def _digests(postings: Iterable[Posting]) -> set[bytes]:
    """The images that some postings show."""
    return {bytes.fromhex(name) for posting in postings for name in posting.images}
