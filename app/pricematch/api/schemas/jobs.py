"""Schemas of jobs."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from pydantic import BaseModel, Field

from pricematch.catalogue.records import Job, JobState
from pricematch.errors import RowProblem
from pricematch.serving.imports import WHOLE_FILE, is_dry_run


class JobOut(BaseModel):
    """Work that goes on behind the requests, and how far it is."""

    job_id: str = Field(pattern="^[0-9a-f]{32}$")
    kind: str = Field(description="`import`: of POST /postings/import; `seed`: what the store was first filled from.")
    state: JobState = Field(description="`done` may have rows that failed; `failed` has a `reason`.")
    done: int = Field(ge=0, description="Rows that were looked at.")
    total: int | None = Field(description="Rows there are; null until they are counted.")
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


class WholeJobOut(JobOut):
    """A job, and what is wrong with its rows."""

    warnings: list[str] = Field(
        description="How the file was read, and what is odd: columns that nothing reads, doubtful labels, stock images."
    )
    problems: list[RowProblemOut] = Field(description="The first thousand, in the order of the file.")


class JobsOut(BaseModel):
    """A page of the jobs, the newest first."""

    total: int = Field(ge=0, description="Jobs of all pages.")
    jobs: list[JobOut]
    next_offset: int | None = Field(description="`offset` of the next page; null on the last.")


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
        "warnings": [it.message for it in problems if it.row == WHOLE_FILE],
        "problems": [asdict(it) for it in problems if it.row != WHOLE_FILE],
    }
