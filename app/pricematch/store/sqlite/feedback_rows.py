"""Rows of feedback in SQLite, in transactions that are open."""

import sqlite3
import time
from collections.abc import Sequence

from pricematch.catalogue.feedback_batches import FeedbackFilter, FeedbackPlace, FeedbackSort
from pricematch.catalogue.records import PairFeedback
from pricematch.errors import RowDamaged
from pricematch.store.sqlite.changes import next_revision
from pricematch.store.sqlite.checksums import Row, insertion, opened, sealed, selected

COLUMNS = selected("verdict")
_WRITE = (
    f"{insertion('verdict')} ON CONFLICT (first, second) DO UPDATE SET decision = excluded.decision, "
    "revision = excluded.revision, decided_at = excluded.decided_at, decided_by = excluded.decided_by, "
    "note = excluded.note, checksum = excluded.checksum"
)
_BEHIND = {"ids": "(first, second) > (?2, ?3)", "time": "(decided_at, first, second) < (?1, ?2, ?3)"}
_ORDER = {"ids": "first, second", "time": "decided_at DESC, first DESC, second DESC"}
_CHOSEN = (
    "(?4 IS NULL OR decided_by = ?4) AND (?5 IS NULL OR first = ?5 OR second = ?5) AND (?6 IS NULL OR decision = ?6)"
)


def now() -> float:
    """The time of a decision that is made now, as exact as it is shown, so that it comes back from a file the same."""
    return as_shown(time.time())


def as_shown(decided_at: float) -> float:
    """A time in whole microseconds."""
    return round(decided_at, 6)


def write(connection: sqlite3.Connection, feedback: PairFeedback) -> None:
    """Store a decision in place of the one on its pair."""
    it = feedback
    values = (it.first, it.second, it.decision, it.revision, float(it.decided_at), it.by, it.note)
    connection.execute(_WRITE, sealed(*values))
    connection.execute("DELETE FROM verdict_gone WHERE first = ? AND second = ?", (it.first, it.second))


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


def find_any(connection: sqlite3.Connection, first: str, second: str) -> PairFeedback | RowDamaged | None:
    """The decision that is to be replaced or withdrawn, which a damaged one may be."""
    try:
        return find(connection, first, second)
    except RowDamaged as error:
        return error


def page(
    connection: sqlite3.Connection,
    chosen: FeedbackFilter,
    sort: FeedbackSort,
    after: FeedbackPlace | None,
    offset: int,
    limit: int,
) -> list[PairFeedback]:
    """Some of the chosen feedback in an order, see `ports.FeedbackStore.feedback_page`."""
    behind = "?1 IS NULL" if after is None else _BEHIND[sort]
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM verdict WHERE {behind} AND {_CHOSEN} ORDER BY {_ORDER[sort]} LIMIT ?7 OFFSET ?8",
        (*(after or (None, None, None)), chosen.by, chosen.posting_id, chosen.decision, limit, offset),
    )
    return [feedback_of(row) for row in rows]


def count(connection: sqlite3.Connection, chosen: FeedbackFilter) -> int:
    """How many decisions are chosen."""
    nowhere: Sequence[None] = (None, None, None)
    values = (*nowhere, chosen.by, chosen.posting_id, chosen.decision)
    statement = f"SELECT count(*) FROM verdict WHERE ?1 IS NULL AND ?2 IS NULL AND ?3 IS NULL AND {_CHOSEN}"
    return int(connection.execute(statement, values).fetchone()[0])


def feedback_of(row: Row) -> PairFeedback:
    """A decision from its columns; raises RowDamaged."""
    return PairFeedback(*opened("verdict", row))
