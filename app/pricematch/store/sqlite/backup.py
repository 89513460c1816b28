"""Copies of a store's database: made while others write, checked, and taken over by a store that is in use."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pricematch.catalogue.postings import is_posting_id
from pricematch.store.backup_file import not_whole
from pricematch.store.folder import store_errors
from pricematch.store.sqlite.changes import next_revision, posting_of
from pricematch.store.sqlite.checksums import COMPUTED, insertion, is_sound, opened, sealed, selected
from pricematch.store.sqlite.database import Database, Mode, connect
from pricematch.store.sqlite.feedback_batches import replace_batches
from pricematch.store.sqlite.feedback_rows import feedback_of
from pricematch.store.sqlite.feedback_rows import find as find_feedback
from pricematch.store.sqlite.feedback_rows import remove as remove_feedback
from pricematch.store.sqlite.feedback_rows import write as write_feedback
from pricematch.store.sqlite.fields import restore_fields
from pricematch.store.sqlite.postings import find
from pricematch.store.sqlite.postings import remove as remove_posting
from pricematch.store.sqlite.postings import write as write_posting
from pricematch.store.sqlite.restored_products import restore_products
from pricematch.store.sqlite.schema import SCHEMA, has_schema, migrate
from pricematch.store.sqlite.shown_images import shown_images


@dataclass(frozen=True, slots=True)
class Counted:
    """Contents of a copy of a database: counts of postings and feedback, the version, and the images in order."""

    version: int
    postings: int
    verdicts: int
    images: list[bytes]


def copy_database(database: Database, target: Path) -> None:
    """Write one version of everything to a new file, while others write on; raises StoreError."""
    with store_errors(target), closing(connect(database.path, database.mode, database.wait_seconds)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))


@contextmanager
def opened_copy(backup: Path, path: Path, schema: int) -> Iterator[sqlite3.Connection]:
    """A copy that was checked to the last row, its schema brought up to date.

    Args:
        backup: the file it is from, for the sentence.
        path: the copy, which may be written to.
        schema: the version in its manifest, no newer than we know.

    Raises:
        StoreDamaged: it is not whole, or not what `copy_database` writes.
    """
    with closing(connect(path, Mode.WRITE, 0)) as connection:
        try:
            if not has_schema(connection, schema):
                raise not_whole(backup, f"its tables are not those of version {schema} of the schema")
            answer = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
            if answer != "ok":
                raise not_whole(backup, answer)
            if schema < SCHEMA:
                migrate(connection, path)
            if (wrong := _wrong_id(connection)) is not None:
                raise not_whole(backup, f"{wrong[:80]!r} cannot name a posting")
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise not_whole(backup, str(error)) from error
        yield connection


def counted(copy: sqlite3.Connection) -> Counted:
    """The contents of a copy."""
    version, postings, verdicts = copy.execute(
        "SELECT version, (SELECT count(*) FROM posting), (SELECT count(*) FROM verdict) FROM catalogue"
    ).fetchone()
    return Counted(version, postings, verdicts, shown_images(copy))


@dataclass(frozen=True, slots=True)
class Replaced:
    """How many postings and feedback a copy replaced, and how many products with postings it has."""

    postings_written: int
    postings_deleted: int
    verdicts_written: int
    verdicts_withdrawn: int
    products: int


def replace_contents(connection: sqlite3.Connection, copy: sqlite3.Connection) -> Replaced:
    """Make postings, feedback, batches, products and declared fields those of a copy, in a transaction that is open.

    What was computed is kept. Equal rows stay; each change has a revision of its own, later than any in either.
    """
    later = copy.execute("SELECT version FROM catalogue").fetchone()
    connection.execute("UPDATE catalogue SET version = max(version, ?)", later)
    _take_computed(connection, copy)
    products = copy.execute("SELECT count(*) FROM product WHERE size > 0").fetchone()
    replaced = Replaced(*_replace_postings(connection, copy), *_replace_feedback(connection, copy), *products)
    replace_batches(connection, copy)
    restore_products(connection, copy)
    restore_fields(connection, copy)
    return replaced


def _replace_postings(connection: sqlite3.Connection, copy: sqlite3.Connection) -> tuple[int, int]:
    """How many were written and deleted."""
    unseen, written = {posting_id for (posting_id,) in connection.execute("SELECT posting_id FROM posting")}, 0
    for row in copy.execute(f"SELECT {selected('posting')} FROM posting ORDER BY posting_id"):
        posting = posting_of(opened("posting", row))
        unseen.discard(posting.posting_id)
        stored = find(connection, posting.posting_id)
        if stored is None or stored.posting != posting:
            write_posting(connection, posting)
            written += 1
    for posting_id in sorted(unseen):
        remove_posting(connection, posting_id)
    return written, len(unseen)


def _replace_feedback(connection: sqlite3.Connection, copy: sqlite3.Connection) -> tuple[int, int]:
    """How many were written and withdrawn."""
    unseen, written = set(connection.execute("SELECT first, second FROM verdict")), 0
    for row in copy.execute(f"SELECT {selected('verdict')} FROM verdict"):
        feedback = feedback_of(row)
        first, second = feedback.first, feedback.second
        unseen.discard((first, second))
        stored = find_feedback(connection, first, second)
        if stored is None or (stored.said, stored.decided_at) != (feedback.said, feedback.decided_at):
            write_feedback(connection, replace(feedback, revision=next_revision(connection)))
            written += 1
    for first, second in sorted(unseen):
        remove_feedback(connection, first, second)
    return written, len(unseen)


def _take_computed(connection: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    """Keep what the copy has computed and the store has not."""
    for number, *row in copy.execute(f"SELECT number, {selected('computed_key')} FROM computed_key").fetchall():
        key, dimension = opened("computed_key", tuple(row))
        connection.execute(insertion("computed_key", "INSERT OR IGNORE"), tuple(row))
        ours = connection.execute("SELECT number, dimension FROM computed_key WHERE key = ?", (key,)).fetchone()
        if ours[1] != dimension:
            continue
        for table in COMPUTED:
            rows = copy.execute(f"SELECT {selected(table)} FROM {table} WHERE number = ?", (number,))
            sound = (sealed(ours[0], *row[1:-1]) for row in rows if is_sound(row))
            connection.executemany(insertion(table, "INSERT OR IGNORE"), sound)


def _wrong_id(connection: sqlite3.Connection) -> str | None:
    """An id that no posting can have, if there is one."""
    of_feedback = " UNION ".join(
        f"SELECT {end} FROM {table}" for table in ("verdict", "verdict_batch_item") for end in ("first", "second")
    )
    ids = connection.execute(
        f"SELECT posting_id FROM posting UNION SELECT posting_id FROM product_member UNION {of_feedback}"
    )
    return next((posting_id for (posting_id,) in ids if not is_posting_id(posting_id)), None)
