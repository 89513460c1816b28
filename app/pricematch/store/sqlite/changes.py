"""Versions of the catalogue, and how long what was deleted is remembered."""

import sqlite3

from pricematch.catalogue.metadata import stored_metadata
from pricematch.catalogue.postings import Posting
from pricematch.store.sqlite.checksums import Row
from pricematch.store.sqlite.shown_images import digests


def posting_of(row: Row) -> Posting:
    """A posting from its columns, as `opened` gives them."""
    posting_id, image, title, image_phash, label_group, _, metadata, more_images = row
    name = None if image is None else image.hex()
    more = tuple(digest.hex() for digest in digests(more_images))
    return Posting(posting_id, name, title, image_phash, label_group, stored_metadata(metadata), more)


def version(connection: sqlite3.Connection) -> int:
    """The catalogue's version, 0 before the first change."""
    return int(connection.execute("SELECT version FROM catalogue").fetchone()[0])


def next_revision(connection: sqlite3.Connection) -> int:
    """The revision of a change that is made in this transaction."""
    return int(connection.execute("UPDATE catalogue SET version = version + 1 RETURNING version").fetchone()[0])


def next_revisions(connection: sqlite3.Connection, count: int) -> range:
    """The revisions of that many changes that are made in this transaction."""
    grown = connection.execute("UPDATE catalogue SET version = version + ? RETURNING version", (count,)).fetchone()
    return range(grown[0] - count + 1, grown[0] + 1)


def forget_history(connection: sqlite3.Connection, kept: int) -> None:
    """Forget what was deleted before the last `kept` postings and the last `kept` decisions that were.

    Changes since a version before those are lost.
    """
    floors = [connection.execute("SELECT floor FROM catalogue").fetchone()[0]]
    for table in ("posting_gone", "verdict_gone"):
        oldest = connection.execute(
            f"SELECT revision FROM {table} ORDER BY revision DESC LIMIT 1 OFFSET ?",
            (kept,),
        ).fetchone()
        floors.extend(oldest or ())
    if (floor := max(floors)) > floors[0]:
        for table in ("posting_gone", "verdict_gone"):
            connection.execute(f"DELETE FROM {table} WHERE revision <= ?", (floor,))
        connection.execute("UPDATE catalogue SET floor = ?", (floor,))


VERSIONED = ("posting", "posting_gone", "verdict", "verdict_gone", "product", "product_event", "active_model")
"""Tables whose rows have a revision each."""


def forget_all(connection: sqlite3.Connection) -> None:
    """Forget all changes up to now, so that whoever follows them reads everything anew."""
    latest = [connection.execute(f"SELECT max(revision) FROM {table}").fetchone()[0] or 0 for table in VERSIONED]
    connection.execute("UPDATE catalogue SET version = max(version, ?) + 1", (max(latest),))
    connection.execute("UPDATE catalogue SET floor = version, event_floor = version")
