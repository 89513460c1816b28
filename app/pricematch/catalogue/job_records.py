"""Records of jobs."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

JobState: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Counts:
    """Outcomes of the items of a job so far; a row whose posting could not be stored has failed."""

    created: int = 0
    replaced: int = 0
    unchanged: int = 0
    failed: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.created + other.created,
            self.replaced + other.replaced,
            self.unchanged + other.unchanged,
            self.failed + other.failed,
        )


@dataclass(frozen=True, slots=True)
class Job:
    """Work that outlives the request that queued it and the process that began it.

    Attributes:
        job_id: 32 hexadecimal digits.
        kind: what it does, `import` or `train-matcher`.
        spec: its options, as JSON text.
        state: how it is; `done` may have problems, `failed` has a reason.
        done, total: items; total is None until it is known.
        cancelling: whether it is to stop.
        reason: why it failed, or None.
        created_at, changed_at: seconds since 1970, UTC.
        counts: outcomes of the items that are done.
        result: what it found, as JSON text; None while there is nothing.
    """

    job_id: str
    kind: str
    spec: str
    state: JobState
    done: int
    total: int | None
    cancelling: bool
    reason: str | None
    created_at: float
    changed_at: float
    counts: Counts = Counts()
    result: str | None = None

    @property
    def ended(self) -> bool:
        """Whether it never changes again."""
        return self.state in {"done", "failed", "cancelled"}
