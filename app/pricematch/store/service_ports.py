"""Ports: the protocols of the stores of what a service keeps beside the catalogue."""

from collections.abc import Sequence
from typing import Protocol

from pricematch.catalogue.feed import Position
from pricematch.catalogue.fields import Field
from pricematch.catalogue.job_records import Job
from pricematch.catalogue.records import KeptAnswer
from pricematch.errors import RowProblem


class WebhookStore(Protocol):
    """Keeps how far each webhook was told of changes; raises as `PostingStore` does."""

    def position(self, url: str) -> Position | None:
        """Where it is; None of one that is not known."""
        ...

    def keep(self, url: str, position: Position) -> None:
        """Keep where it is."""
        ...


class AnswerStore(Protocol):
    """Keeps answers for a day, so that requests which are sent again are not done again; raises as `PostingStore`."""

    def answer(self, key: bytes) -> KeptAnswer | None:
        """The answer under a key; None where none is kept."""
        ...

    def keep_answer(self, key: bytes, answer: KeptAnswer) -> None:
        """Keep an answer under a key."""
        ...


class FieldStore(Protocol):
    """Keeps which fields of postings are declared; raises as `PostingStore` does."""

    def fields(self) -> Sequence[Field]:
        """All that are declared, by their names."""
        ...

    def declare(self, field: Field, most: int) -> bool:
        """Declare a field, in place of the one of its name; whether it is new. LimitExceeded where that are too many.

        Args:
            field: what is declared.
            most: fields that may be declared.
        """
        ...

    def undeclare(self, name: str) -> bool:
        """Let a field be as any other again; whether it was declared."""
        ...


class JobStore(Protocol):
    """Keeps jobs, so that they survive the process; raises as `PostingStore` does."""

    def create(self, kind: str, spec: str, job_id: str | None = None) -> Job:
        """A new job, queued; its id is made up where none is given (32 hexadecimal digits that no job has)."""
        ...

    def job(self, job_id: str) -> Job | None:
        """The job with an id; None where there is none."""
        ...

    def jobs(self) -> Sequence[Job]:
        """All that are kept, the newest first."""
        ...

    def unfinished(self, kind: str) -> Sequence[Job]:
        """Those of a kind that are queued or running, the oldest first."""
        ...

    def change(self, job: Job, problems: Sequence[RowProblem] = ()) -> Job:
        """Keep how a job is, and more problems of it; `cancelling` stays as it is stored. The answer has it."""
        ...

    def cancel(self, job_id: str) -> Job | None:
        """Stop a job: one that is queued is cancelled at once, one that has ended stays as it is."""
        ...

    def problems(self, job_id: str, after: int, limit: int) -> Sequence[RowProblem]:
        """Problems of a job in the order they were kept, without the first `after`."""
        ...

    def remove(self, job_id: str) -> bool:
        """Forget a job that has ended, and its problems; whether there was one."""
        ...
