"""Rows of postings, inside a transaction."""

import sqlite3
from typing import Any, TypeAlias

from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Stored
from pricematch.store.image_files import image_digest
from pricematch.store.sqlite.revisions import next_revision

COLUMNS = "posting_id, image, title, image_phash, label_group"
Row: TypeAlias = tuple[Any, ...]


def find(connection: sqlite3.Connection, posting_id: str) -> Stored | None:
    """The posting with an id, if it is stored."""
    row = connection.execute(
        f"SELECT {COLUMNS}, revision FROM posting WHERE posting_id = ?",
        (posting_id,),
    ).fetchone()
    return None if row is None else Stored(posting_of(row), row[5])


def posting_of(row: Row) -> Posting:
    """A posting from its columns."""
    posting_id, image, title, image_phash, label_group = row[:5]
    return Posting(posting_id, None if image is None else image.hex(), title, image_phash, label_group)


def write(connection: sqlite3.Connection, posting: Posting) -> int:
    """Store a posting, in place of the one with its id if there is one; its revision."""
    revision = next_revision(connection)
    image = None if posting.image is None else image_digest(posting.image)
    connection.execute(
        f"INSERT INTO posting ({COLUMNS}, revision) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (posting_id) DO UPDATE SET "
        "image = excluded.image, title = excluded.title, image_phash = excluded.image_phash, "
        "label_group = excluded.label_group, revision = excluded.revision",
        (posting.posting_id, image, posting.title, posting.image_phash, posting.label_group, revision),
    )
    connection.execute("DELETE FROM posting_gone WHERE posting_id = ?", (posting.posting_id,))
    return revision


def remove(connection: sqlite3.Connection, posting_id: str) -> None:
    """Delete a posting that is stored, and remember that it was there."""
    connection.execute("DELETE FROM posting WHERE posting_id = ?", (posting_id,))
    connection.execute("INSERT INTO posting_gone VALUES (?, ?)", (posting_id, next_revision(connection)))
