"""Requests as spans."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from starlette.testclient import TestClient

from pricematch.api import server
from pricematch.api.app import create_app
from pricematch.api.tracing import Spans
from pricematch.serving.service import Service
from pricematch.settings import Settings
from tests.support.applications import backend
from tests.support.fakes import image_bytes, tiny_images, tiny_matcher


@pytest.fixture
def sent() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def client(sent: InMemorySpanExporter) -> Iterator[TestClient]:
    """A client of an application whose requests are spans."""
    service = Service(Settings())
    service.open(backend(tiny_matcher(), tiny_images()))
    with TestClient(create_app(service, spans=Spans(SimpleSpanProcessor(sent)))) as client:
        yield client


def test_a_request_is_one_span_with_its_stages(client: TestClient, sent: InMemorySpanExporter) -> None:
    """The span names the request and how long each stage took."""
    client.post("/match", files={"image": image_bytes("red")}, headers={"X-Request-ID": "a1"})
    [span] = sent.get_finished_spans()
    assert (span.name, span.kind) == ("POST /match", SpanKind.SERVER)
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["pricematch.request_id"] == "a1"
    assert span.attributes["pricematch.search_ms"] > 0  # type: ignore[operator]
    assert span.start_time is not None
    assert span.end_time is not None
    assert 0 < span.end_time - span.start_time < 60e9


def test_it_is_a_child_of_the_clients_span(client: TestClient, sent: InMemorySpanExporter) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    client.get("/postings/absent", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    client.get("/healthz", headers={"traceparent": "garbage"})
    child, own = sent.get_finished_spans()
    assert child.context is not None
    assert f"{child.context.trace_id:032x}" == trace
    assert child.parent is not None
    assert f"{child.parent.span_id:016x}" == "b7ad6b7169203331"
    assert own.parent is None


def test_without_somebody_who_takes_them_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    with server._spans() as spans:
        assert spans is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with server._spans() as spans:
        assert isinstance(spans, Spans)
