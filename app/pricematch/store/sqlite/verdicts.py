"""Feedback in SQLite."""

import sqlite3
import time
from collections.abc import Sequence

from pricematch.catalogue.records import Decision, PairFeedback
from pricematch.store.sqlite.database import Database
from pricematch.store.sqlite.revisions import next_revision

COLUMNS = "first, second, decision, revision, decided_at"


class SqliteVerdicts:
    """Implements `ports.VerdictStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def verdict(self, one: str, other: str) -> PairFeedback | None:
        """See the port."""
        with self._database.read() as connection:
            return find(connection, *sorted((one, other)))

    def verdicts(self) -> Sequence[PairFeedback]:
        """See the port."""
        with self._database.read() as connection:
            rows = connection.execute(f"SELECT {COLUMNS} FROM verdict ORDER BY first, second")
            return [PairFeedback(*row) for row in rows]

    def decide(self, one: str, other: str, decision: Decision) -> tuple[PairFeedback, bool]:
        """See the port; new is a pair that had no verdict. Said again, a verdict stays the one it was."""
        if one == other:
            raise ValueError(f"expected two postings, got {one!r} twice")
        first, second = sorted((one, other))
        with self._database.write() as connection:
            stored = find(connection, first, second)
            if stored is not None and stored.decision == decision:
                return stored, False
            verdict = PairFeedback(first, second, decision, next_revision(connection), time.time())
            write(connection, verdict)
        return verdict, stored is None

    def withdraw(self, one: str, other: str) -> bool:
        """See the port."""
        first, second = sorted((one, other))
        with self._database.write() as connection:
            if find(connection, first, second) is None:
                return False
            remove(connection, first, second)
        return True


def write(connection: sqlite3.Connection, verdict: PairFeedback) -> None:
    """Store a verdict in place of the one on its pair."""
    connection.execute(
        f"INSERT INTO verdict ({COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (first, second) DO UPDATE SET "
        "decision = excluded.decision, revision = excluded.revision, decided_at = excluded.decided_at",
        (verdict.first, verdict.second, verdict.decision, verdict.revision, verdict.decided_at),
    )
    connection.execute("DELETE FROM verdict_gone WHERE first = ? AND second = ?", (verdict.first, verdict.second))


def remove(connection: sqlite3.Connection, first: str, second: str) -> None:
    """Delete a verdict that is stored, and remember that it was there."""
    connection.execute("DELETE FROM verdict WHERE first = ? AND second = ?", (first, second))
    connection.execute("INSERT INTO verdict_gone VALUES (?, ?, ?)", (first, second, next_revision(connection)))


def find(connection: sqlite3.Connection, first: str, second: str) -> PairFeedback | None:
    """The verdict on a pair, first < second, if there is one."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM verdict WHERE first = ? AND second = ?",
        (first, second),
    ).fetchone()
    return None if row is None else PairFeedback(*row)
