"""The catalogue's version: one counter, of which every change of a posting or verdict takes the next."""

import sqlite3

from pricematch.errors import HistoryLost


def version(connection: sqlite3.Connection) -> int:
    """The catalogue's version, 0 before the first change."""
    return int(connection.execute("SELECT version FROM catalogue").fetchone()[0])


def next_revision(connection: sqlite3.Connection) -> int:
    """The revision of a change that is made in this transaction."""
    return int(connection.execute("UPDATE catalogue SET version = version + 1 RETURNING version").fetchone()[0])


def version_since(connection: sqlite3.Connection, since: int) -> int:
    """The catalogue's version, if what changed between `since` and it can be told.

    Raises:
        HistoryLost: it cannot; what was deleted is no longer known, or `since` is a version of another store.
    """
    now, floor = connection.execute("SELECT version, floor FROM catalogue").fetchone()
    if not floor <= since <= now:
        raise HistoryLost(f"expected a version from {floor} to {now} of the catalogue, got {since}")
    return int(now)


def forget_history(connection: sqlite3.Connection, kept: int) -> None:
    """Forget what was deleted before the last `kept` postings and the last `kept` verdicts that were.

    Changes since a version before those can no longer be told.
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
