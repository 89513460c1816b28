"""Telemetry of requests: what every response gets, its log line and span; and metrics for Prometheus."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
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
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pricematch.api.logs import FIELDS, RequestContext, begin, end
from pricematch.catalogue.features import Seconds
from pricematch.errors import NotReady
from pricematch.serving.change_readers import Telling
from pricematch.serving.service import Service
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

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        requests = Counter("pricematch_requests", "Answers.", ["method", "route", "status"], registry=self.registry)
        seconds = Histogram(
            "pricematch_request_seconds",
            "From the first byte of a request's body to the last of its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        stages = Histogram(
            "pricematch_stage_seconds",
            "Of a request: waiting, image to pixels, pixels to embedding, neighbours, evidence.",
            ["stage"],
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
        self.registry.register(_Served(service))

    def watch(self, service: Service) -> None:
        """Collect figures of the processes that encode, too."""
        self.registry.register(_Encoders(service.process_ids))

    def observe_request(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """A request was answered, in that time where it tells anything; 499: its client had gone."""
        self._requests(method if method in _METHODS else "other", route, str(status)).inc()
        if seconds is not None:
            self._seconds(route).observe(seconds)

    def observe_stages(self, seconds: Mapping[Stage, float]) -> None:
        """A request has spent so long in each stage that it went through."""
        for stage, spent in seconds.items():
            self._stages(stage).observe(spent)

    def observe_batch(self, size: int, seconds: Seconds) -> None:  # noqa: ARG002 — requests report their own stages
        """So many images were encoded together."""
        self._batches.observe(size)

    def set_queue_depth(self, depth: int) -> None:
        """So many images wait to be encoded."""
        self._depth.set(depth)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)


class _Served(Collector):
    """Figures of the caches, the catalogue and models, collected when /metrics is read."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Whether the service is ready, and if it can answer with which catalogue and models."""
        readers = float(self._service.change_readers)
        yield GaugeMetricFamily("pricematch_change_readers", "Requests that read changes, or wait for some.", readers)
        ready = float(self._service.why_not_ready() is None)
        yield GaugeMetricFamily("pricematch_ready", "1 if the service takes requests.", ready)
        lookups = CounterMetricFamily(
            "pricematch_cache_lookups",
            "Features of images, and results, that were kept or had to be computed.",
            labels=["cache", "outcome"],
        )
        size = GaugeMetricFamily("pricematch_cache_bytes", "Bytes that are kept.", labels=["cache"])
        for name, cache in self._service.caches.items():
            lookups.add_metric([name, "hit"], cache.hits)
            lookups.add_metric([name, "miss"], cache.misses)
            size.add_metric([name], cache.size)
        yield from (lookups, size)
        try:
            snapshot = self._service.snapshot
        except NotReady:
            return
        yield from _told(self._service.telling, snapshot.held.version)
        count = float(len(snapshot.matcher.catalogue))
        yield GaugeMetricFamily("pricematch_catalogue_postings", "Postings that are searched.", count)
        yield GaugeMetricFamily("pricematch_catalogue_version", "Changes since the beginning.", float(snapshot.version))
        models = GaugeMetricFamily("pricematch_model", "1 for each model that answers.", labels=["name", "version"])
        for manifest in self._service.manifests():
            models.add_metric([str(manifest["name"]), str(manifest["version"])], 1)
        yield models


def _told(telling: Sequence[Telling], version: int) -> Iterator[Metric]:
    """Figures of webhooks."""
    if not telling:
        return
    messages = CounterMetricFamily("pricematch_webhook_messages", "Messages that were taken.", labels=["webhook"])
    failures = CounterMetricFamily("pricematch_webhook_failures", "Attempts that failed.", labels=["webhook"])
    behind = GaugeMetricFamily("pricematch_webhook_behind", "Versions that are yet to be told.", labels=["webhook"])
    for it in telling:
        messages.add_metric([it.name], it.messages)
        failures.add_metric([it.name], it.failures)
        behind.add_metric([it.name], 0 if it.position is None else max(0, version - it.position.revision))
    yield from (messages, failures, behind)


class _Encoders(Collector):
    """Figures of the worker processes, collected when /metrics is read."""

    def __init__(self, processes: Callable[[], Sequence[int]]) -> None:
        self._processes = processes

    def collect(self) -> Iterator[Metric]:
        """The figures of `ProcessCollector` for each worker process."""
        found: dict[str, Metric] = {}
        for number, process in enumerate(self._processes()):
            for metric_family in ProcessCollector(pid=partial(int, process), registry=None).collect():
                name = metric_family.name.replace("process_", "pricematch_encoder_", 1)
                metric = found.setdefault(name, Metric(name, metric_family.documentation, metric_family.type))
                for sample in metric_family.samples:
                    sampled = sample.name.replace("process_", "pricematch_encoder_", 1)
                    metric.add_sample(sampled, {"process": str(number)}, sample.value)
        yield from found.values()


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
        self._metrics.observe_request(method, route, status, None if context.waits else seconds)
        self._metrics.observe_stages(stages)
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
                "problem": context.problem,
                "stages_ms": {stage: round(spent * 1e3, 3) for stage, spent in stages.items()},
            }
            known = {name: value for name, value in fields.items() if value not in (None, {})}
            line = f"{method} {route} {status} {fields['ms']} ms {context.request_id}"
            _access_log.info("%s", line, extra={FIELDS: known})


def _complete(headers: list[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    """The headers of a response with those that every one has."""
    present = dict(headers)
    is_page = present.get(b"content-type", b"").startswith(b"text/html")
    usual = (*_USUAL, (b"content-security-policy", _POLICY_OF_PAGES if is_page else _POLICY))
    return [*headers, (b"x-request-id", request_id.encode("ascii")), *(it for it in usual if it[0] not in present)]
