"""Schemas of jobs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pricematch.catalogue.job_records import Job, JobState
from pricematch.errors import RowProblem
from pricematch.serving.imports import WHOLE_FILE, is_dry_run
from pricematch.serving.training_jobs import TrainingOptions


class JobOut(BaseModel):
    """Work that goes on behind the requests, and how far it is."""

    job_id: str = Field(pattern="^[0-9a-f]{32}$")
    kind: str = Field(
        description="`import`: of POST /postings/import; `seed`: what the store was first filled from; "
        "`train-matcher`: of POST /jobs."
    )
    state: JobState = Field(description="`done` may have rows that failed; `failed` has a `reason`.")
    done: int = Field(ge=0, description="Rows that were looked at, or steps of learning.")
    total: int | None = Field(description="Rows or steps there are; null until they are counted.")
    created: int = Field(ge=0, description="Postings that are new.")
    replaced: int = Field(ge=0, description="Postings that took the place of others.")
    unchanged: int = Field(ge=0, description="Postings that were stored just so already.")
    failed: int = Field(ge=0, description="Rows that could not be stored.")
    dry_run: bool = Field(description="Whether it stores nothing: the counts are what an import would do.")
    cancelling: bool = Field(description="Whether it is to stop.")
    reason: str | None = Field(description="Why it failed as a whole.")
    created_at: datetime
    changed_at: datetime


class RowProblemOut(BaseModel):
    """What is wrong with one row."""

    row: int = Field(description="Line of an NDJSON file; record of a CSV file, whose header is row 1.")
    posting_id: str | None = Field(description="As the row has it.")
    column: str | None = Field(description="Null where the whole row is meant.")
    message: str = Field(description="What was expected and what came.")


class TrainingIn(BaseModel):
    """A job that trains a matcher on the stored label groups, corrected by verdicts."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["train-matcher"]
    signals: list[Literal["hash", "title", "image"]] | None = Field(
        default=None, min_length=1, description="What it compares by; all that postings have something for if absent."
    )
    train_share: float = Field(
        default=1.0, ge=0.01, le=1, description="Share of the label groups to learn from, chosen by the seed."
    )
    seed: int = Field(default=0, ge=0, le=2**31, description="Of everything drawn.")
    force: bool = Field(default=False, description="Write the matcher also where it is no better than the default.")

    def options(self) -> TrainingOptions:
        """The same for the service."""
        return TrainingOptions(tuple(dict.fromkeys(self.signals or ())), self.train_share, self.seed, self.force)


class HeldOutOut(BaseModel):
    """Figures on label groups held out, each evaluated while its part was not learned from."""

    postings: int = Field(description="How large the catalogue is, or its random parts are on average.")
    f1: float
    precision: float
    recall: float
    brier: float = Field(description="Mean squared error of the probabilities of candidates.")
    calibration_error: float = Field(description="Expected calibration error over all candidates,")
    calibration_error_likely: float = Field(description="and over those of a probability of 0.05 and more.")
    candidate_recall: float = Field(description="Share of all true pairs that is among the candidates.")


class BeforeOut(BaseModel):
    """The matcher that served when the training was done."""

    matcher: str
    held_out: list[HeldOutOut] = Field(description="By its own training; none of the default matcher, see `f1`.")


class TrainingResultOut(BaseModel):
    """Outcome of a training."""

    version: str | None = Field(description="That was written, to be activated; null where it is no better.")
    better: bool = Field(description="Whether it surely gains over the default, and loses to no signal alone.")
    summary: str | None = Field(description="The comparison in one sentence.")
    f1: dict[str, float] = Field(
        description="Mean F1 on the same held-out label groups: `learned`, of the `default` matcher, of each signal."
    )
    signals: list[str]
    postings: int = Field(description="Postings that were learned from.")
    groups: int
    pairs: int = Field(description="Candidate pairs of the catalogue.")
    seconds: float
    held_out: list[HeldOutOut] = Field(description="Of what was learned, by size of the catalogue.")
    before: BeforeOut | None = Field(description="Null where similarity decided.")


class WholeJobOut(JobOut):
    """A job, what is wrong with its rows, and what it found."""

    result: TrainingResultOut | None = Field(description="Of a training that is done.")

    warnings: list[str] = Field(
        description="How the file was read, and what is odd: columns that nothing reads, doubtful labels, stock images."
    )
    problems: list[RowProblemOut] = Field(description="The first thousand, in the order of the file.")


class JobsOut(BaseModel):
    """A page of the jobs, the newest first."""

    total: int = Field(ge=0, description="Jobs of all pages.")
    jobs: list[JobOut]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")
    next_offset: int | None = Field(
        description="`offset` of the next page; null on the last, and of a page that begins at a cursor."
    )


class EndedJobOut(JobOut):
    """What became of a job that was to end."""

    removed: bool = Field(description="Whether it had ended before, and is forgotten now. What it stored stays.")


def job_fields(job: Job) -> dict[str, object]:
    """A job by the fields of `JobOut`."""
    times = {name: datetime.fromtimestamp(getattr(job, name), UTC) for name in ("created_at", "changed_at")}
    return {**asdict(job), **asdict(job.counts), **times, "dry_run": is_dry_run(job)}


def whole_job_fields(job: Job, problems: Sequence[RowProblem]) -> dict[str, object]:
    """A job by the fields of `WholeJobOut`."""
    return {
        **job_fields(job),
        "result": None if job.result is None else json.loads(job.result),
        "warnings": [it.message for it in problems if it.row == WHOLE_FILE],
        "problems": [asdict(it) for it in problems if it.row != WHOLE_FILE],
    }
