"""GET /healthz, /readyz and /metrics, for whoever watches the process."""

from typing import Annotated

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from pricematch.api.dependencies import OPEN, READ_SERVICE, KnowsAll, NamespacesDep
from pricematch.api.problems import responses
from pricematch.api.schemas.postings import HealthOut, ReadinessOut
from pricematch.api.telemetry import Metrics
from pricematch.errors import NotReady

router = APIRouter(tags=["health"])


@router.get("/healthz", operation_id="getHealth", dependencies=[OPEN])
async def healthz() -> HealthOut:
    """The process answers."""
    return HealthOut(status="ok")


@router.get("/readyz", operation_id="getReadiness", dependencies=[OPEN], responses=responses(503))
async def readyz(namespaces: NamespacesDep, may_know_all: KnowsAll) -> ReadinessOut:
    """Models are loaded and exercised, and the index is built; 503 with the reason before and while stopping.

    A namespace that could not be started keeps the others from nothing: it is counted, and named to whoever may know
    of all.
    """
    if (reason := namespaces.why_not_ready()) is not None:
        raise NotReady(reason)
    unready = namespaces.unready()
    return ReadinessOut(status="ready", unready=len(unready), reasons=dict(unready) if may_know_all else None)


def metrics_router(metrics: Metrics, *, guarded: bool) -> APIRouter:
    """GET /metrics; `guarded` asks for a key of scope read, where there are keys."""
    found, access = APIRouter(tags=["health"]), READ_SERVICE if guarded else OPEN

    @found.get(
        "/metrics",
        operation_id="getMetrics",
        dependencies=[access],
        response_class=Response,
        responses={
            200: {
                "content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}},
                "description": "Prometheus' text format.",
            }
        },
    )
    async def read(namespace: Annotated[str | None, access]) -> Response:
        """Counters and histograms of requests, stages, batches, catalogues, models and the process.

        A key of the default namespace is told nothing of the catalogues and requests of others.
        """
        return Response(metrics.text(namespace), media_type=CONTENT_TYPE_LATEST)

    return found
