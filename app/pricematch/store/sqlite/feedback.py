"""Feedback in SQLite."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pricematch.catalogue.feedback_batches import (
    BatchCounts,
    FeedbackBatch,
    FeedbackFilter,
    FeedbackPlace,
    FeedbackSort,
    PairDecision,
)
from pricematch.catalogue.records import NO_REMARK, Decision, PairFeedback, Remark
from pricematch.store.sqlite import feedback_batches, feedback_rows
from pricematch.store.sqlite.changes import next_revision
from pricematch.store.sqlite.database import Database
from pricematch.store.sqlite.feedback_rows import COLUMNS, as_shown, feedback_of, find, find_any, now, remove, write


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

    def feedback_page(
        self, chosen: FeedbackFilter, sort: FeedbackSort, after: FeedbackPlace | None, offset: int, limit: int
    ) -> tuple[int, Sequence[PairFeedback]]:
        """See the port."""
        with self._database.read() as connection:
            found = feedback_rows.page(connection, chosen, sort, after, offset, limit)
            return feedback_rows.count(connection, chosen), found

    def decide(self, one: str, other: str, decision: Decision, remark: Remark = NO_REMARK) -> tuple[PairFeedback, bool]:
        """See the port; an equal decision keeps its revision and time."""
        if one == other:
            raise ValueError(f"expected two postings, got {one!r} twice")
        first, second = sorted((one, other))
        with self._database.write() as connection:
            stored = find_any(connection, first, second)
            if isinstance(stored, PairFeedback) and stored.said == (decision, remark.by, remark.note):
                return stored, False
            revision = next_revision(connection)
            feedback = PairFeedback(first, second, decision, revision, now(), remark.by, remark.note)
            write(connection, feedback)
        return feedback, stored is None

    def withdraw(self, one: str, other: str) -> bool:
        """See the port."""
        first, second = sorted((one, other))
        with self._database.write() as connection:
            if find_any(connection, first, second) is None:
                return False
            remove(connection, first, second)
        return True

    def take(self, feedback: Iterable[PairFeedback]) -> BatchCounts:
        """Store decisions of elsewhere, with their times, authors and notes, all of them or none.

        Their revisions do not matter. One that is stored already stays unchanged; `changed` counts others in whatever
        they differ.
        """
        new = changed = unchanged = 0
        with self._database.write() as connection:
            for it in feedback:
                stored = find_any(connection, it.first, it.second)
                if isinstance(stored, PairFeedback) and _as_shown(stored) == _as_shown(it):
                    unchanged += 1
                    continue
                new, changed = new + (stored is None), changed + (stored is not None)
                write(connection, replace(it, revision=next_revision(connection)))
        return BatchCounts(new, changed, unchanged)

    def decide_each(
        self, decisions: Sequence[PairDecision], remark: Remark, expected: int | None = None, *, undecided: bool = False
    ) -> FeedbackBatch:
        """See the port."""
        with self._database.write() as connection:
            return feedback_batches.decide_each(connection, decisions, remark, expected, undecided=undecided)

    def undo(self, batch_id: str) -> FeedbackBatch:
        """See the port."""
        with self._database.write() as connection:
            return feedback_batches.undo(connection, batch_id)

    def batch(self, batch_id: str) -> FeedbackBatch | None:
        """See the port."""
        with self._database.read() as connection:
            return feedback_batches.find(connection, batch_id)

    def batches(self, before: int | None, limit: int) -> Sequence[FeedbackBatch]:
        """See the port."""
        with self._database.read() as connection:
            return feedback_batches.page(connection, before, limit)


def _as_shown(it: PairFeedback) -> tuple[object, ...]:
    return *it.said, as_shown(it.decided_at)
