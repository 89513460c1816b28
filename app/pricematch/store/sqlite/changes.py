"""Versions of the catalogue, and what changed since one."""

import sqlite3

from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Changes, FeedbackChange, PostingChange
from pricematch.errors import HistoryLost

_POSTINGS = """
SELECT posting_id, revision, 1 AS there, image, title, image_phash, label_group FROM posting WHERE revision > ?1
UNION ALL SELECT posting_id, revision, 0, NULL, NULL, NULL, NULL FROM posting_gone WHERE revision > ?1
ORDER BY revision
"""
_FEEDBACK = """
SELECT first, second, revision, decision FROM verdict WHERE revision > ?1
UNION ALL SELECT first, second, revision, NULL FROM verdict_gone WHERE revision > ?1
ORDER BY revision
"""


def version(connection: sqlite3.Connection) -> int:
    """The catalogue's version, 0 before the first change."""
    return int(connection.execute("SELECT version FROM catalogue").fetchone()[0])


def next_revision(connection: sqlite3.Connection) -> int:
    """The revision of a change that is made in this transaction."""
    return int(connection.execute("UPDATE catalogue SET version = version + 1 RETURNING version").fetchone()[0])


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


def changes_since(connection: sqlite3.Connection, since: int) -> Changes:
    """The changes since version `since`.

    Raises:
        HistoryLost: what was deleted since is no longer known, or `since` is a version of another store.
    """
    now, floor = connection.execute("SELECT version, floor FROM catalogue").fetchone()
    if not floor <= since <= now:
        raise HistoryLost(f"expected a version from {floor} to {now} of the catalogue, got {since}")
    if now == since:
        return Changes(now, (), ())
    postings = [_posting_change(*row) for row in connection.execute(_POSTINGS, (since,))]
    feedback = [FeedbackChange(*row) for row in connection.execute(_FEEDBACK, (since,))]
    return Changes(now, postings, feedback)


def _posting_change(
    posting_id: str,
    revision: int,
    there: int,
    image: bytes | None,
    title: str,
    image_phash: str | None,
    label_group: str | None,
) -> PostingChange:
    if not there:
        return PostingChange(posting_id, revision, None)
    posting = Posting(posting_id, None if image is None else image.hex(), title, image_phash, label_group)
    return PostingChange(posting_id, revision, posting)
