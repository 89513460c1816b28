"""/jobs: what goes on behind the requests."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from pricematch.api.bodies import described
from pricematch.api.content import JSON, read_json
from pricematch.api.dependencies import ADMIN, READ, WRITE, LinksDep, ReadyService, ScopeCheck
from pricematch.api.idempotency import ONCE
from pricematch.api.problems import responses
from pricematch.api.schemas.jobs import (
    EndedJobOut,
    JobOut,
    JobsOut,
    TrainingIn,
    WholeJobOut,
    job_fields,
    whole_job_fields,
)
from pricematch.serving.training_jobs import TRAIN_MATCHER

router = APIRouter(tags=["jobs"])
_MAX_PAGE, _MAX_PROBLEMS = 100, 1000
_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "It is kept, and will be done whatever happens to the service.",
        "headers": {"Location": {"description": "The job.", "schema": {"type": "string"}}},
    }
}
_JobId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Id of a job.")]


@router.get("/jobs", operation_id="listJobs", dependencies=[READ], responses=responses(422, 500, 503))
async def jobs(
    service: ReadyService,
    cursor: Annotated[
        str, Query(pattern="^([0-9a-f]{32})?$", description="Where the page begins: a `next_cursor`.")
    ] = "",
    offset: Annotated[int, Query(ge=0, le=2**31, description="Leave out that many; `cursor` is better.")] = 0,
    limit: Annotated[int, Query(ge=1, le=_MAX_PAGE, description="Jobs at most.")] = _MAX_PAGE,
) -> JobsOut:
    """The jobs, the newest first; of those that have ended the last thousand are kept."""
    every = await service.jobs()
    first = offset + _place([job.job_id for job in every], cursor)
    page, more = every[first : first + limit], first + limit < len(every)
    return JobsOut(
        total=len(every),
        jobs=[JobOut.model_validate(job_fields(job)) for job in page],
        next_cursor=page[-1].job_id if more else None,
        next_offset=first + limit if more and not cursor else None,
    )


def _place(job_ids: Sequence[str], cursor: str) -> int:
    """Where the page behind a job begins; raises RequestValidationError where that was forgotten."""
    if not cursor:
        return 0
    try:
        return job_ids.index(cursor) + 1
    except ValueError:
        fault = {"type": "value_error", "loc": ("query", "cursor"), "msg": "expected one of a job that is kept"}
        raise RequestValidationError([fault]) from None


@router.post(
    "/jobs",
    operation_id="createJob",
    dependencies=[ADMIN, ONCE],
    status_code=202,
    openapi_extra=described({JSON: TrainingIn.model_json_schema()}),
    responses=responses(400, 409, 413, 415, 422, 429, 500, 503, 507) | _ACCEPTED,
)
async def create(request: Request, service: ReadyService, links: LinksDep, response: Response) -> JobOut:
    """Train a matcher behind the requests; whether it serves, PUT /models/matcher says."""
    given = await read_json(request, TrainingIn)
    job = await service.queue_training(given.options())
    response.headers["Location"] = links.job(job.job_id)
    return JobOut.model_validate(job_fields(job))


@router.get("/jobs/{job_id}", operation_id="getJob", dependencies=[READ], responses=responses(404, 422, 500, 503))
async def job(job_id: _JobId, service: ReadyService) -> WholeJobOut:
    """How far a job is, and which rows could not be stored."""
    found, problems = await service.job(job_id, _MAX_PROBLEMS)
    return WholeJobOut.model_validate(whole_job_fields(found, problems))


@router.delete(
    "/jobs/{job_id}", operation_id="endJob", dependencies=[WRITE], responses=responses(404, 422, 500, 503, 507)
)
async def end(job_id: _JobId, service: ReadyService, check_scope: ScopeCheck) -> EndedJobOut:
    """Cancel a job, or forget one that has ended; what it has stored stays. A training takes scope `admin`."""
    begun, _ = await service.job(job_id, 0)
    check_scope("admin" if begun.kind == TRAIN_MATCHER else "write")
    found, removed = await service.end_job(job_id)
    return EndedJobOut.model_validate({**job_fields(found), "removed": removed})
