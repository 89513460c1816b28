"""/jobs: what goes on behind the requests."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from pricematch.api.dependencies import READ, WRITE, ReadyService
from pricematch.api.problems import responses
from pricematch.api.schemas.jobs import EndedJobOut, JobOut, JobsOut, WholeJobOut, job_fields, whole_job_fields

router = APIRouter(tags=["jobs"])
_MAX_PAGE, _MAX_PROBLEMS = 100, 1000
_JobId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Id of a job.")]


@router.get("/jobs", operation_id="listJobs", dependencies=[READ], responses=responses(422, 500, 503))
async def jobs(
    service: ReadyService,
    offset: Annotated[int, Query(ge=0, le=2**31, description="Leave out that many.")] = 0,
    limit: Annotated[int, Query(ge=1, le=_MAX_PAGE, description="Jobs at most.")] = _MAX_PAGE,
) -> JobsOut:
    """The jobs, the newest first; of those that have ended the last thousand are kept."""
    every, end = await service.jobs(), offset + limit
    return JobsOut(
        total=len(every),
        jobs=[JobOut.model_validate(job_fields(job)) for job in every[offset:end]],
        next_offset=end if end < len(every) else None,
    )


@router.get("/jobs/{job_id}", operation_id="getJob", dependencies=[READ], responses=responses(404, 422, 500, 503))
async def job(job_id: _JobId, service: ReadyService) -> WholeJobOut:
    """How far a job is, and which rows could not be stored."""
    found, problems = await service.job(job_id, _MAX_PROBLEMS)
    return WholeJobOut.model_validate(whole_job_fields(found, problems))


@router.delete(
    "/jobs/{job_id}", operation_id="endJob", dependencies=[WRITE], responses=responses(404, 422, 500, 503, 507)
)
async def end(job_id: _JobId, service: ReadyService) -> EndedJobOut:
    """Cancel a job, or forget one that has ended; what it has stored stays."""
    found, removed = await service.end_job(job_id)
    return EndedJobOut.model_validate({**job_fields(found), "removed": removed})
