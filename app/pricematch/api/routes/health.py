"""GET /healthz and /readyz, for whoever watches the process."""

from fastapi import APIRouter

from pricematch.api.dependencies import OPEN, ServiceDep
from pricematch.api.problems import responses
from pricematch.api.schemas.postings import HealthOut
from pricematch.errors import NotReady

router = APIRouter(tags=["health"])


@router.get("/healthz", dependencies=[OPEN])
async def healthz() -> HealthOut:
    """The process answers."""
    return HealthOut(status="ok")


@router.get("/readyz", dependencies=[OPEN], responses=responses(503))
async def readyz(service: ServiceDep) -> HealthOut:
    """Models are loaded and exercised, and the index is built; 503 with the reason before and while stopping."""
    if (reason := service.why_not_ready()) is not None:
        raise NotReady(reason)
    return HealthOut(status="ready")
