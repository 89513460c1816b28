"""Batches of feedback in SQLite, in transactions that are open."""

import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pricematch.catalogue.feedback_batches import BatchCounts, FeedbackBatch, PairDecision, counted
from pricematch.catalogue.records import Decision, PairFeedback, Remark
from pricematch.errors import BatchNotFound, ConditionFailed
from pricematch.store.sqlite import feedback_rows
from pricematch.store.sqlite.changes import next_revision, version
from pricematch.store.sqlite.checksums import Row, insertion, opened, sealed, selected

KEPT_BATCHES = 1000
"""Later ones beyond which a batch is forgotten, and can be undone no more,"""
KEPT_ITEMS = 1_000_000
"""or so many pairs of them."""
_KEPT_EMPTY = 100
_COLUMNS, _ITEMS = selected("verdict_batch"), selected("verdict_batch_item")


def decide_each(
    connection: sqlite3.Connection,
    decisions: Sequence[PairDecision],
    remark: Remark,
    expected: int | None,
    *,
    undecided: bool,
) -> FeedbackBatch:
    """Make decisions as one batch, see `ports.FeedbackStore.decide_each`."""
    if expected is not None and (present := version(connection)) != expected:
        raise ConditionFailed(f"expected version {expected} of the catalogue, and it is of version {present}")
    found = [(it, feedback_rows.find_any(connection, *it.pair)) for it in decisions]
    if undecided:
        found = [(it, before) for it, before in found if before is None]
    counts = counted([it for it, _ in found], [_decision(before) for _, before in found])
    decided_at, number = feedback_rows.now(), _next(connection)
    batch = FeedbackBatch(secrets.token_hex(16), number, remark.by, remark.note, decided_at, counts)
    _write(connection, batch)
    for it, before in found:
        if _decision(before) == it.decision:
            continue
        now = PairFeedback(*it.pair, it.decision, next_revision(connection), decided_at, remark.by, remark.note)
        _Item.of(batch.number, now, before if isinstance(before, PairFeedback) else None).write(connection)
        feedback_rows.write(connection, now)
    _forget(connection)
    return batch


def undo(connection: sqlite3.Connection, batch_id: str) -> FeedbackBatch:
    """Take a batch back, see `ports.FeedbackStore.undo`."""
    if (batch := find(connection, batch_id)) is None:
        raise BatchNotFound(batch_id)
    if batch.undone_at is not None:
        return batch
    restored = kept = 0
    statement = f"SELECT {_ITEMS} FROM verdict_batch_item WHERE batch = ? ORDER BY first, second"
    for row in connection.execute(statement, (batch.number,)).fetchall():
        item = _Item(*opened("verdict_batch_item", row))
        now = feedback_rows.find_any(connection, item.first, item.second)
        left = (item.decision, batch.by, batch.note, batch.decided_at)
        if not isinstance(now, PairFeedback) or (*now.said, now.decided_at) != left:
            kept += 1
            continue
        restored += 1
        if (before := item.before(connection)) is None:
            feedback_rows.remove(connection, item.first, item.second)
        else:
            feedback_rows.write(connection, before)
    batch = replace(batch, undone_at=feedback_rows.now(), restored=restored, kept=kept)
    _write(connection, batch)
    return batch


def find(connection: sqlite3.Connection, batch_id: str) -> FeedbackBatch | None:
    """The batch with an id; None where there is none, or it was forgotten."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM verdict_batch WHERE batch_id = ?", (batch_id,)).fetchone()
    return None if row is None else _batch(row)


def page(connection: sqlite3.Connection, before: int | None, limit: int) -> list[FeedbackBatch]:
    """The last `limit` batches, the newest first, of those before a number where one is given."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM verdict_batch WHERE ?1 IS NULL OR number < ?1 ORDER BY number DESC LIMIT ?2",
        (before, limit),
    )
    return [_batch(row) for row in rows]


def replace_batches(connection: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    """Make the batches those of a copy; raises RowDamaged."""
    connection.execute("DELETE FROM verdict_batch")
    for table in ("verdict_batch", "verdict_batch_item"):
        for row in copy.execute(f"SELECT {selected(table)} FROM {table}"):
            connection.execute(insertion(table), sealed(*opened(table, row)))


@dataclass(frozen=True, slots=True)
class _Item:
    """A pair of a batch: the decision that it got, and what was decided before; None if nothing was."""

    batch: int
    first: str
    second: str
    decision: Decision
    before_decision: Decision | None
    before_at: float | None
    before_by: str | None
    before_note: str | None

    @classmethod
    def of(cls, batch: int, now: PairFeedback, before: PairFeedback | None) -> "_Item":
        if before is None:
            return cls(batch, now.first, now.second, now.decision, None, None, None, None)
        was = (before.decision, before.decided_at, before.by, before.note)
        return cls(batch, now.first, now.second, now.decision, *was)

    def before(self, connection: sqlite3.Connection) -> PairFeedback | None:
        """What was decided before, as a change that is made now."""
        if self.before_decision is None:
            return None
        revision, decided_at = next_revision(connection), self.before_at or 0.0
        was, note = self.before_decision, self.before_note or ""
        return PairFeedback(self.first, self.second, was, revision, decided_at, self.before_by, note)

    def write(self, connection: sqlite3.Connection) -> None:
        pair = (self.batch, self.first, self.second, self.decision)
        before = (self.before_decision, self.before_at, self.before_by, self.before_note)
        connection.execute(insertion("verdict_batch_item"), sealed(*pair, *before))


def _decision(before: object) -> Decision | None:
    return before.decision if isinstance(before, PairFeedback) else None


def _next(connection: sqlite3.Connection) -> int:
    return 1 + int(connection.execute("SELECT coalesce(max(number), 0) FROM verdict_batch").fetchone()[0])


def _write(connection: sqlite3.Connection, it: FeedbackBatch) -> None:
    counts, undone = (it.counts.new, it.counts.changed, it.counts.unchanged), (it.undone_at, it.restored, it.kept)
    values = (it.number, it.batch_id, it.by, it.note, it.decided_at, *counts, *undone)
    statement = (
        f"{insertion('verdict_batch')} ON CONFLICT (number) DO UPDATE SET undone_at = excluded.undone_at, "
        "restored = excluded.restored, kept = excluded.kept, checksum = excluded.checksum"
    )
    connection.execute(statement, sealed(*values))


def _batch(row: Row) -> FeedbackBatch:
    number, batch_id, by, note, decided_at, *counts, undone_at, restored, kept = opened("verdict_batch", row)
    return FeedbackBatch(batch_id, number, by, note, decided_at, BatchCounts(*counts), undone_at, restored, kept)


def _forget(connection: sqlite3.Connection) -> None:
    """Forget the oldest batches while there are more, or more pairs of them, than are kept.

    Those that changed nothing are not counted, and only a few of them are kept.
    """
    sizes = connection.execute("SELECT number, created + changed FROM verdict_batch ORDER BY number DESC").fetchall()
    pairs = batches = 0
    for place, (number, size) in enumerate(sizes):
        if not size and place >= _KEPT_EMPTY:
            connection.execute("DELETE FROM verdict_batch WHERE number = ?", (number,))
        pairs, batches = pairs + size, batches + (size > 0)
        if batches > KEPT_BATCHES or (batches > 1 and size and pairs > KEPT_ITEMS):
            connection.execute("DELETE FROM verdict_batch WHERE number <= ?", (number,))
            return
