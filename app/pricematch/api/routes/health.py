"""GET /healthz, /readyz and /metrics, for whoever watches the process."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from pricematch.api.dependencies import OPEN, READ, ServiceDep
from pricematch.api.problems import responses
from pricematch.api.schemas.postings import HealthOut
from pricematch.api.telemetry import Metrics
from pricematch.errors import NotReady

router = APIRouter(tags=["health"])


@router.get("/healthz", operation_id="getHealth", dependencies=[OPEN])
async def healthz() -> HealthOut:
    """The process answers."""
    return HealthOut(status="ok")


@router.get("/readyz", operation_id="getReadiness", dependencies=[OPEN], responses=responses(503))
async def readyz(service: ServiceDep) -> HealthOut:
    """Models are loaded and exercised, and the index is built; 503 with the reason before and while stopping."""
    if (reason := service.why_not_ready()) is not None:
        raise NotReady(reason)
    return HealthOut(status="ready")


def metrics_router(metrics: Metrics, *, guarded: bool) -> APIRouter:
    """GET /metrics; `guarded` asks for a key of scope read, where there are keys."""
    found = APIRouter(tags=["health"], dependencies=[READ if guarded else OPEN])

    @found.get(
        "/metrics",
        operation_id="getMetrics",
        response_class=Response,
        responses={
            200: {
                "content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}},
                "description": "Prometheus' text format.",
            }
        },
    )
    async def read() -> Response:
        """Counters and histograms of requests, stages, batches, the catalogue, models and the process."""
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return found
