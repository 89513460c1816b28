"""Versions of the catalogue, and what changed since one."""

import sqlite3

from pricematch.catalogue.metadata import stored_metadata
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Changes, FeedbackChange, PostingChange
from pricematch.errors import HistoryLost
from pricematch.store.sqlite.checksums import Row, opened, selected

_POSTINGS = f"""
SELECT {selected("posting")} FROM posting WHERE revision > ?1
UNION ALL SELECT posting_id, NULL, NULL, NULL, NULL, revision, NULL, NULL FROM posting_gone WHERE revision > ?1
ORDER BY revision
"""
_FEEDBACK = f"""
SELECT {selected("verdict")} FROM verdict WHERE revision > ?1
UNION ALL SELECT first, second, NULL, revision, NULL, NULL, NULL, NULL FROM verdict_gone WHERE revision > ?1
ORDER BY revision
"""


def posting_of(row: Row) -> Posting:
    """A posting from its columns, as `opened` gives them."""
    posting_id, image, title, image_phash, label_group, _, metadata = row
    name = None if image is None else image.hex()
    return Posting(posting_id, name, title, image_phash, label_group, stored_metadata(metadata))


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


VERSIONED = ("posting", "posting_gone", "verdict", "verdict_gone", "product", "product_event")
"""Tables whose rows have a revision each."""


def forget_all(connection: sqlite3.Connection) -> None:
    """Forget all changes up to now, so that whoever follows them reads everything anew."""
    latest = [connection.execute(f"SELECT max(revision) FROM {table}").fetchone()[0] or 0 for table in VERSIONED]
    connection.execute("UPDATE catalogue SET version = max(version, ?) + 1", (max(latest),))
    connection.execute("UPDATE catalogue SET floor = version")


def changes_since(connection: sqlite3.Connection, since: int) -> Changes:
    """The changes since version `since`.

    Raises:
        HistoryLost: what was deleted since is no longer known, or `since` is a version of another store.
        RowDamaged: one that was changed since is not as it was written.
    """
    now, floor = connection.execute("SELECT version, floor FROM catalogue").fetchone()
    if not floor <= since <= now:
        raise HistoryLost(f"expected a version from {floor} to {now} of the catalogue, got {since}")
    if now == since:
        return Changes(now, (), ())
    postings = [_posting_change(row) for row in connection.execute(_POSTINGS, (since,))]
    feedback = [_feedback_change(row) for row in connection.execute(_FEEDBACK, (since,))]
    return Changes(now, postings, feedback)


def _posting_change(row: Row) -> PostingChange:
    posting_id, _, title, _, _, revision, _, _ = row
    gone = title is None
    return PostingChange(posting_id, revision, None if gone else posting_of(opened("posting", row)))


def _feedback_change(row: Row) -> FeedbackChange:
    first, second, decision, revision = (row if row[2] is None else opened("verdict", row))[:4]
    return FeedbackChange(first, second, revision, decision)
