"""Puts the endpoints together."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias, TypedDict

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware

from pricematch import __version__
from pricematch.api import idempotency, problems
from pricematch.api.dependencies import State
from pricematch.api.description import DESCRIPTION, TAGS, describe
from pricematch.api.guard import Guard
from pricematch.api.keys import KeyRing, keys_of
from pricematch.api.limits import HeadCheck, MemoryLimits
from pricematch.api.links import VERSION_PREFIX, Links
from pricematch.api.placement import Placement
from pricematch.api.routes import (
    changes,
    clusters,
    comparison,
    fields,
    health,
    images,
    imports,
    jobs,
    match,
    models,
    posting_batches,
    postings,
    products,
    verdict_batches,
    verdicts,
)
from pricematch.api.routes import namespaces as namespace_routes
from pricematch.api.routes.health import metrics_router
from pricematch.api.routing import EveryRoute, check_root_path
from pricematch.api.signatures import ImageSigner
from pricematch.api.telemetry import Metrics, Telemetry
from pricematch.errors import NotReady
from pricematch.serving.namespaces import Namespaces
from pricematch.serving.service import Service

if TYPE_CHECKING:
    from pricematch.api.tracing import Spans

_IN_NAMESPACES = (
    match,
    comparison,
    imports,
    posting_batches,
    postings,
    images,
    products,
    changes,
    jobs,
    verdict_batches,
    verdicts,
    clusters,
    fields,
    models,
)
"""What is served in each namespace. Of paths that fit a request the first one answers."""
_OTHERS = ("Last-Event-ID", "X-API-Key", "X-Request-ID")
_Lifetime: TypeAlias = Callable[[], AbstractAsyncContextManager[object]]


class _Lifespan(TypedDict):
    app: State


def create_app(
    served: Service | Namespaces,
    metrics: Metrics | None = None,
    spans: "Spans | None" = None,
    keys: KeyRing | None = None,
    lifetime: _Lifetime = nullcontext,
) -> Telemetry:
    """The HTTP application over services that may still be starting, with telemetry around it.

    Args:
        served: the services of all namespaces, or one that stands alone.
        metrics: counts every request; None makes new ones.
        spans: takes every request as a span; None: no spans.
        keys: API keys; None takes those that settings name.
        lifetime: entered when the application starts, and left when it stops.

    Raises:
        SettingsError: the keys that settings name cannot be read, or the root path is one of the service's own.
    """
    metrics = metrics or Metrics(served)
    return Telemetry(create_api(served, metrics, keys, lifetime), metrics, spans, log=served.settings.access_log)


def create_api(
    served: Service | Namespaces,
    metrics: Metrics | None = None,
    keys: KeyRing | None = None,
    lifetime: _Lifetime = nullcontext,
) -> FastAPI:
    """The endpoints over services, with their middleware; GET /metrics shows `metrics`, or new ones."""
    namespaces = Namespaces.of(served) if isinstance(served, Service) else served
    metrics, settings = metrics or Metrics(namespaces), namespaces.settings
    known = KeyRing(keys_of(settings)) if keys is None else keys
    signer = ImageSigner(settings)
    links = Links(settings.root_path, signer if known.required else None)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[_Lifespan]:
        async with lifetime():
            yield {"app": State(namespaces, Guard(settings, known), links, signer)}

    app = FastAPIOffline(
        title="pricematch",
        version=__version__,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        lifespan=lifespan,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would go to whatever host the client names
        swagger_ui_parameters={"tryItOutEnabled": True},
        telemetry={"tracing": False, "metrics": False, "logs": False},  # ours reports requests; twice would be wrong
    )
    problems.install(app)
    idempotency.install(app)
    app.add_middleware(MemoryLimits, service=namespaces.default)  # which shares its limits with the others
    inside = [str(route.path) for module in _IN_NAMESPACES for route in iter_route_contexts(module.router.routes)]
    app.add_middleware(EveryRoute, routes=app.routes, placement=Placement(settings.root_path, inside))
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-Match", "If-None-Match", *_OTHERS],
            expose_headers=["ETag", "Location", "Retry-After", "X-Request-ID"],
        )
    app.add_middleware(HeadCheck, limit=settings.max_header_bytes)
    for module in (*_IN_NAMESPACES, namespace_routes):
        app.include_router(module.router, prefix=VERSION_PREFIX)
        app.include_router(module.router, include_in_schema=False)
    app.include_router(health.router)
    if settings.metrics != "off":
        app.include_router(metrics_router(metrics, guarded=settings.metrics == "key"))
    check_root_path(settings.root_path, app.routes)
    described = lru_cache(maxsize=1)(
        lambda ids, method: describe(app, settings.root_path, ids, method)
    )  # open to all: keep it cheap
    # the way that FastAPI documents (docs: "Extending OpenAPI")
    app.openapi = lambda: described(*_examples(namespaces.default, known))  # type: ignore[method-assign]
    return app


def _examples(service: Service, keys: KeyRing) -> tuple[tuple[str, ...], str]:
    """Ids of postings, and a method to cluster them that this service has."""
    if keys.required:  # the description is open to all
        return (), "dbscan"
    try:
        matcher = service.snapshot.matcher
    except NotReady:
        return (), "dbscan"
    ids = tuple(matcher.catalogue[row].posting_id for row in range(min(5, len(matcher.catalogue))))
    return ids, "dbscan" if matcher.probability is None else "matcher"
