"""Feedback in SQLite."""

import sqlite3
import time
from collections.abc import Sequence

from pricematch.catalogue.records import Decision, PairFeedback
from pricematch.errors import RowDamaged
from pricematch.store.sqlite.changes import next_revision
from pricematch.store.sqlite.checksums import Row, insertion, opened, sealed, selected
from pricematch.store.sqlite.database import Database

COLUMNS = selected("verdict")
_WRITE = (
    f"{insertion('verdict')} ON CONFLICT (first, second) DO UPDATE SET decision = excluded.decision, "
    "revision = excluded.revision, decided_at = excluded.decided_at, checksum = excluded.checksum"
)


class SqliteFeedback:
    """Implements `ports.FeedbackStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def feedback_on(self, one: str, other: str) -> PairFeedback | None:
        """See the port."""
        with self._database.read() as connection:
            return find(connection, *sorted((one, other)))

    def all_feedback(self) -> Sequence[PairFeedback]:
        """See the port."""
        with self._database.read() as connection:
            rows = connection.execute(f"SELECT {COLUMNS} FROM verdict ORDER BY first, second")
            return [feedback_of(row) for row in rows]

    def decide(self, one: str, other: str, decision: Decision) -> tuple[PairFeedback, bool]:
        """See the port; an equal decision keeps its revision and time."""
        if one == other:
            raise ValueError(f"expected two postings, got {one!r} twice")
        first, second = sorted((one, other))
        with self._database.write() as connection:
            stored = _before(connection, first, second)
            if isinstance(stored, PairFeedback) and stored.decision == decision:
                return stored, False
            feedback = PairFeedback(first, second, decision, next_revision(connection), time.time())
            write(connection, feedback)
        return feedback, stored is None

    def withdraw(self, one: str, other: str) -> bool:
        """See the port."""
        first, second = sorted((one, other))
        with self._database.write() as connection:
            if _before(connection, first, second) is None:
                return False
            remove(connection, first, second)
        return True


def write(connection: sqlite3.Connection, feedback: PairFeedback) -> None:
    """Store a decision in place of the one on its pair."""
    values = (feedback.first, feedback.second, feedback.decision, feedback.revision, float(feedback.decided_at))
    connection.execute(_WRITE, sealed(*values))
    connection.execute("DELETE FROM verdict_gone WHERE first = ? AND second = ?", (feedback.first, feedback.second))


def remove(connection: sqlite3.Connection, first: str, second: str) -> None:
    """Delete a decision that is stored, and remember that it was there."""
    connection.execute("DELETE FROM verdict WHERE first = ? AND second = ?", (first, second))
    connection.execute("INSERT INTO verdict_gone VALUES (?, ?, ?)", (first, second, next_revision(connection)))


def find(connection: sqlite3.Connection, first: str, second: str) -> PairFeedback | None:
    """The decision on a pair, first < second, if there is one; raises RowDamaged."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM verdict WHERE first = ? AND second = ?",
        (first, second),
    ).fetchone()
    return None if row is None else feedback_of(row)


def feedback_of(row: Row) -> PairFeedback:
    """A decision from its columns; raises RowDamaged."""
    return PairFeedback(*opened("verdict", row))


def _before(connection: sqlite3.Connection, first: str, second: str) -> PairFeedback | RowDamaged | None:
    """The decision that is to be replaced or withdrawn, which a damaged one may be."""
    try:
        return find(connection, first, second)
    except RowDamaged as error:
        return error
