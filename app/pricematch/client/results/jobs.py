"""Jobs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

State: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that goes on behind the requests, and how far it is."""

    job_id: str
    kind: str
    state: State
    done: int
    total: int | None
    created: int
    replaced: int
    unchanged: int
    failed: int
    dry_run: bool
    cancelling: bool
    reason: str | None
    created_at: datetime
    changed_at: datetime

    @property
    def has_ended(self) -> bool:
        """Whether it will not go on."""
        return self.state in ("done", "failed", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """What is wrong with one row of a file."""

    row: int
    posting_id: str | None
    column: str | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Figures on label groups held out."""

    postings: int
    f1: float
    precision: float
    recall: float
    brier: float
    calibration_error: float
    calibration_error_likely: float
    candidate_recall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The matcher that served when a training was done."""

    matcher: str
    held_out: tuple[HeldOut, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """Outcome of a training; `version` is to be activated, None where it is no better than the default matcher."""

    version: str | None
    better: bool
    summary: str | None
    f1: dict[str, float]
    signals: tuple[str, ...]
    postings: int
    groups: int
    pairs: int
    seconds: float
    held_out: tuple[HeldOut, ...]
    before: Before | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeJob(Job):
    """A job, what is wrong with its rows, and what it found."""

    result: TrainingResult | None
    warnings: tuple[str, ...]
    problems: tuple[RowProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """A page of jobs, the newest first."""

    total: int
    jobs: tuple[Job, ...]
    next_cursor: str | None
    next_offset: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedJob(Job):
    """A job that was to end; `removed`: it had ended before, and is forgotten."""

    removed: bool
