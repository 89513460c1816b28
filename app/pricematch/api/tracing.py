"""Requests as OpenTelemetry spans, where the extra `pricematch[otel]` is installed and a collector is named."""

import time
from collections.abc import Mapping

from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pricematch.stages import Stage

_SERVER_ERROR = 500
_PARENT = ("traceparent", "tracestate")


class Spans:
    """Records each request as one span, a child of the client's where it names one.

    Names and attributes are those of OpenTelemetry's semantic conventions for HTTP servers; `pricematch.<stage>_ms` are
    ours.
    """

    def __init__(self, processor: SpanProcessor) -> None:
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "pricematch"}))
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("pricematch")
        self._propagator: TextMapPropagator = TraceContextTextMapPropagator()

    def record(
        self,
        *,
        method: str,
        route: str,
        status: int,
        seconds: float,
        stages: Mapping[Stage, float],
        request_id: str,
        headers: Mapping[str, str],
    ) -> None:
        """Record a request that was just answered."""
        now = time.time_ns()
        span = self._tracer.start_span(
            f"{method} {route}",
            self._propagator.extract({name: headers[name] for name in _PARENT if name in headers}),
            SpanKind.SERVER,
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "pricematch.request_id": request_id,
                **{f"pricematch.{stage}_ms": spent * 1e3 for stage, spent in stages.items()},
            },
            start_time=now - int(seconds * 1e9),
        )
        if status >= _SERVER_ERROR:
            span.set_status(Status(StatusCode.ERROR))
        span.end(now)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def exported() -> Spans:
    """Spans for the collector that the OTEL_EXPORTER_OTLP_… variables name."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return Spans(BatchSpanProcessor(OTLPSpanExporter()))
