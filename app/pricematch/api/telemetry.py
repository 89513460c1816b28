"""Telemetry of requests: what every response gets, its log line and span; and metrics for Prometheus."""

import logging
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pricematch.api.figures import EncoderFigures, OfNamespace, ServedFigures
from pricematch.api.logs import FIELDS, RequestContext, begin, end
from pricematch.catalogue.features import Seconds
from pricematch.serving.namespaces import Namespaces
from pricematch.serving.service import Service
from pricematch.settings import DEFAULT_NAMESPACE
from pricematch.stages import Stage, measured

if TYPE_CHECKING:
    from pricematch.api.tracing import Spans

_GONE = 499
_USUAL = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""Headers of every response that does not set them itself."""
_POLICY = b"default-src 'none'; frame-ancestors 'none'"
_POLICY_OF_PAGES = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"frame-ancestors 'none'; base-uri 'none'"
)
"""The page at /docs begins with a script of its own; nothing of the catalogue is in it."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64)
_METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})
_NO_ROUTE = "none"
"""The route of requests that no endpoint answers: what they name is the client's."""
_access_log = logging.getLogger("pricematch.access")


class Metrics:
    """Counts what one application does; an `encoding.encoding.EncodingObserver`. Safe to use from several threads."""

    def __init__(self, served: Service | Namespaces) -> None:
        self.registry = CollectorRegistry()
        labels = ["method", "route", "status", "namespace"]
        requests = Counter("pricematch_requests", "Answers.", labels, registry=self.registry)
        seconds = Histogram(
            "pricematch_request_seconds",
            "From the first byte of a request's body to the last of its answer.",
            ["route", "namespace"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        stages = Histogram(
            "pricematch_stage_seconds",
            "Of a request: waiting, image to pixels, pixels to embedding, neighbours, evidence.",
            ["stage", "namespace"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        # kept by their labels: to check those and wait for a lock takes longer than to count
        kept = lru_cache(maxsize=None)
        self._requests, self._seconds, self._stages = kept(requests.labels), kept(seconds.labels), kept(stages.labels)
        self._batches = Histogram(
            "pricematch_batch_pictures", "Images encoded together.", buckets=_SIZES, registry=self.registry
        )
        self._depth = Gauge("pricematch_queue_pictures", "Images that wait to be encoded.", registry=self.registry)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self.registry.register(ServedFigures(Namespaces.of(served) if isinstance(served, Service) else served))

    def watch(self, service: Service) -> None:
        """Collect figures of the processes that encode, too."""
        self.registry.register(EncoderFigures(service.process_ids))

    def observe_request(
        self, method: str, route: str, status: int, seconds: float | None, namespace: str | None = None
    ) -> None:
        """A request was answered, in that time where it tells anything; 499: its client had gone.

        Its namespace is one that there is, so that labels are no more than those; None where it was about none.
        """
        self._requests(method if method in _METHODS else "other", route, str(status), namespace or "").inc()
        if seconds is not None:
            self._seconds(route, namespace or "").observe(seconds)

    def observe_stages(self, seconds: Mapping[Stage, float], namespace: str | None = None) -> None:
        """A request has spent so long in each stage that it went through; its namespace as above."""
        for stage, spent in seconds.items():
            self._stages(stage, namespace or "").observe(spent)

    def observe_batch(self, size: int, seconds: Seconds) -> None:  # noqa: ARG002 — requests report their own stages
        """So many images were encoded together."""
        self._batches.observe(size)

    def set_queue_depth(self, depth: int) -> None:
        """So many images wait to be encoded."""
        self._depth.set(depth)

    def text(self, namespace: str | None = None) -> bytes:
        """All of it, as Prometheus reads it; with a namespace, without what is told of others."""
        return generate_latest(self.registry if namespace is None else OfNamespace(self.registry, namespace))


class Telemetry:
    """ASGI application around another one, which sees every response, those to bugs included."""

    def __init__(self, app: ASGIApp, metrics: Metrics, spans: "Spans | None" = None, *, log: bool) -> None:
        self._app, self._metrics, self._spans, self._log = app, metrics, spans, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its response back, with the headers that every one has."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context, token = begin(Headers(scope=scope).get("x-request-id"))
        status = _GONE

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _complete(list(message.get("headers", ())), context.request_id)
            await send(message)

        started = time.perf_counter()
        try:
            with measured() as stages:
                await self._app(scope, receive, answered)
        finally:
            self._record(scope, context, stages, status, time.perf_counter() - started)
        end(token)  # not after a bug: the server is about to log it, and its line is to have the request's id

    def _record(
        self, scope: Scope, context: RequestContext, stages: Mapping[Stage, float], status: int, seconds: float
    ) -> None:
        method, route = scope["method"], getattr(scope.get("route"), "path", _NO_ROUTE)
        self._metrics.observe_request(method, route, status, None if context.waits else seconds, context.namespace)
        self._metrics.observe_stages(stages, context.namespace)
        if self._spans is not None:
            self._spans.record(
                method=method,
                route=route,
                status=status,
                seconds=seconds,
                stages=stages,
                request_id=context.request_id,
                headers=Headers(scope=scope),
            )
        if self._log:
            fields = {
                "method": method,
                "route": route,
                "status": status,
                "ms": round(seconds * 1e3, 3),
                "client": (scope.get("client") or ("",))[0],
                "key": context.key,
                "namespace": None if context.namespace == DEFAULT_NAMESPACE else context.namespace,
                "problem": context.problem,
                "stages_ms": {stage: round(spent * 1e3, 3) for stage, spent in stages.items()},
            }
            known = {name: value for name, value in fields.items() if value not in (None, {})}
            where = "" if fields["namespace"] is None else f" in {fields['namespace']}"
            line = f"{method} {route} {status} {fields['ms']} ms {context.request_id}{where}"
            _access_log.info("%s", line, extra={FIELDS: known})


def _complete(headers: list[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    """The headers of a response with those that every one has."""
    present = dict(headers)
    is_page = present.get(b"content-type", b"").startswith(b"text/html")
    usual = (*_USUAL, (b"content-security-policy", _POLICY_OF_PAGES if is_page else _POLICY))
    return [*headers, (b"x-request-id", request_id.encode("ascii")), *(it for it in usual if it[0] not in present)]
