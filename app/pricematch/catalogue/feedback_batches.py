"""Lists of feedback, and batches: many decisions that are made at once, and can be taken back at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from pricematch.catalogue.records import Decision

FeedbackSort: TypeAlias = Literal["ids", "time"]
"""Orders of feedback: by the ids of the pairs, or the latest decision first."""
FeedbackPlace: TypeAlias = tuple[float, str, str]
"""Where a decision stands in either order: when it was made, and its pair."""


@dataclass(frozen=True, slots=True)
class FeedbackFilter:
    """Which feedback is listed: by whom, on which posting, of which decision; None is any."""

    by: str | None = None
    posting_id: str | None = None
    decision: Decision | None = None


ALL_FEEDBACK = FeedbackFilter()


@dataclass(frozen=True, slots=True)
class PairDecision:
    """A decision that is to be made on two postings, in whichever order."""

    left: str
    right: str
    decision: Decision

    @property
    def pair(self) -> tuple[str, str]:
        """The two, in ascending order."""
        return min(self.left, self.right), max(self.left, self.right)


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """What a batch does to the feedback on its pairs.

    Attributes:
        new: pairs that nobody had decided on.
        changed: pairs that were decided the other way.
        unchanged: pairs that were decided so; they stay as they are, with their authors and notes.
    """

    new: int
    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class FeedbackBatch:
    """Many decisions that were made at once.

    Attributes:
        batch_id: 32 hexadecimal digits.
        number: from 1, ascending with time.
        by, note: see `Remark`; of all its decisions.
        decided_at: seconds since 1970, UTC; of all its decisions.
        counts: what it did.
        undone_at: when it was taken back; None if it was not.
        restored: pairs on which feedback is as it was before.
        kept: pairs that had been decided on anew when it was taken back, and stayed so.
    """

    batch_id: str
    number: int
    by: str | None
    note: str
    decided_at: float
    counts: BatchCounts
    undone_at: float | None = None
    restored: int = 0
    kept: int = 0


def counted(decisions: Sequence[PairDecision], before: Sequence[Decision | None]) -> BatchCounts:
    """What some decisions would do, given the decision on each pair before, or None."""
    known = [(it.decision, was) for it, was in zip(decisions, before, strict=True) if was is not None]
    changed = sum(decision != was for decision, was in known)
    return BatchCounts(len(decisions) - len(known), changed, len(known) - changed)
