"""Puts the endpoints together."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypedDict

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi_offline import FastAPIOffline
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from app import __version__
from app.api import catalogue, clusters, health, match, models, postings, problems, verdicts
from app.api.admission import Admission, TurnAway
from app.api.body_size import AnnouncedSize
from app.api.held_bodies import HeldBodies
from app.api.state import Service, State
from app.errors import NotReady
from app.matching.slots import Slots

_DESCRIPTION = """Which postings show the same product?

Errors are `application/problem+json` (RFC 9457)."""


class _Lifespan(TypedDict):
    app: State


def create_app(service: Service) -> FastAPI:
    """The HTTP application over a service that may still be starting."""
    settings = service.settings
    admission = Admission(settings.max_in_flight)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[_Lifespan]:
        threads = ThreadPoolExecutor(settings.max_in_flight, "request")
        yield {"app": State(service, admission, threads, Slots(settings.workers), Slots(1))}
        threads.shutdown(wait=False)

    app = FastAPIOffline(
        title="pricematch",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would go to whatever host the client names
        swagger_ui_parameters={"tryItOutEnabled": True},
    )
    problems.install(app)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=settings.max_body_bytes)
    app.add_middleware(HeldBodies, limit=settings.max_held_bytes)
    app.add_middleware(TurnAway, admission=admission)
    app.add_middleware(AnnouncedSize, limit=settings.max_body_bytes)
    for module in (match, catalogue, postings, verdicts, clusters, models, health):
        app.include_router(module.router)
    app.openapi = lambda: _openapi(app, service)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _openapi(app: FastAPI, service: Service) -> dict[str, Any]:
    """The API's description, its examples taken from the catalogue that is served, so that they work when tried."""
    schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schema["components"]["schemas"] |= _definitions()
    example_ids, how = _examples(service)
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "posting_id" and example_ids:
                    parameter["example"] = example_ids[0]
            if path == "/cluster":
                body = operation["requestBody"]["content"]
                body["application/json"]["example"] = {"posting_ids": example_ids, **how}
    return schema


def _definitions() -> dict[str, Any]:
    """Schemas that only answers of errors refer to."""
    definitions = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**definitions.pop("$defs"), "Problem": definitions}


def _examples(service: Service) -> tuple[list[str], dict[str, Any]]:
    """Ids of postings, and a way to cluster them that this service has."""
    by_similarity = {"method": "dbscan", "eps": 0.005}
    try:
        matcher = service.ready().matcher
    except NotReady:
        return [], by_similarity
    ids = [matcher.catalogue[row].posting_id for row in range(min(5, len(matcher.catalogue)))]
    return ids, by_similarity if matcher.judge is None else {"method": "matcher"}
