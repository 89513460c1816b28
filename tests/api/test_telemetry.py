"""What every answer carries, and what is logged of it."""

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.testclient import TestClient

from pricematch.api.logs import (
    FIELDS,
    JsonLines,
)
from pricematch.api.telemetry import Metrics, Telemetry
from pricematch.matching.matcher import Matcher
from pricematch.serving.service import Service
from pricematch.settings import Settings
from tests.support.applications import Serve
from tests.support.fakes import image_bytes

ANSWERS: list[tuple[str, str, Mapping[str, Any], int]] = [
    ("GET", "/healthz", {}, 200),
    ("GET", "/postings/p0", {}, 200),
    ("GET", "/postings/p0/image", {}, 200),
    ("GET", "/docs", {}, 200),
    ("GET", "/openapi.json", {}, 200),
    ("GET", "/metrics", {}, 200),
    ("POST", "/match", {"files": {"image": image_bytes("red")}}, 200),
    ("POST", "/match", {"content": b"x" * 40_000_000, "headers": {"Content-Type": "image/png"}}, 413),
    ("POST", "/match", {}, 415),
    ("GET", "/postings/absent", {}, 404),
    ("GET", "/nowhere", {}, 404),
    ("PATCH", "/match", {}, 405),
]


@pytest.mark.parametrize(("method", "path", "given", "status"), ANSWERS)
def test_every_answer_has_an_id_and_security_headers(
    client: TestClient, method: str, path: str, given: Mapping[str, Any], status: int
) -> None:
    response = client.request(method, path, **given)
    assert response.status_code == status
    assert len(response.headers["x-request-id"]) == 32
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "default-src" in response.headers["content-security-policy"]
    assert "cache-control" in response.headers
    assert "server" not in response.headers


def test_even_the_answer_to_a_bug_has_them(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Matcher, "match_posting", fail)
    response = serve().get("/postings/p0/matches", headers={"X-Request-ID": "mine"})
    assert response.status_code == 500
    assert response.headers["x-request-id"] == "mine"
    assert response.headers["x-content-type-options"] == "nosniff"


def test_a_logged_bug_has_the_id_of_its_request() -> None:
    async def broken(*_: object) -> Any:
        raise RuntimeError("a bug")

    async def ask() -> str:
        scope = {"type": "http", "method": "GET", "headers": [(b"x-request-id", b"mine")]}
        with pytest.raises(RuntimeError):
            await Telemetry(broken, Metrics(Service(Settings())), log=False)(scope, broken, broken)
        return JsonLines().format(logging.makeLogRecord({"msg": "Exception in ASGI application"}))

    assert json.loads(asyncio.run(ask()))["request_id"] == "mine"


def test_a_harmless_id_of_the_client_comes_back(client: TestClient) -> None:
    """One that could forge log lines or headers does not."""
    assert client.get("/healthz", headers={"X-Request-ID": "shop-1.a"}).headers["x-request-id"] == "shop-1.a"
    for given in ("a b", "<script>", "x" * 65, 'a"b'):
        assert client.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"] != given


def test_pages_run_only_the_script_they_bring(client: TestClient) -> None:
    assert "script-src 'self'" in client.get("/docs").headers["content-security-policy"]
    assert client.get("/postings/p0").headers["content-security-policy"].startswith("default-src 'none'")


def test_only_named_sites_may_send_requests_from_a_browser(serve: Serve, client: TestClient) -> None:
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "PUT"}
    for response in (client.get("/postings/p0", headers=asked), client.options("/postings/p0", headers=asked)):
        assert not [name for name in response.headers if name.startswith("access-control")]
    named = serve(cors_origins="https://shop.example,https://other.example")
    assert named.get("/postings/p0", headers=asked).headers["access-control-allow-origin"] == "https://shop.example"
    assert (
        "access-control-allow-origin"
        not in named.get("/postings/p0", headers={"Origin": "https://evil.example"}).headers
    )


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The lines of requests, as JSON has them."""
    return [json.loads(JsonLines().format(it)) for it in caplog.records if it.name == "pricematch.access"]


def test_a_log_line_names_the_template_of_the_path(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pricematch.access")
    client.post("/match", files={"image": image_bytes("#a10000")}, headers={"X-Request-ID": "a1"})
    client.get("/postings/absent/matches")
    client.get("/%0Aforged%20line")
    matched, absent, nowhere = lines(caplog)
    assert (matched["method"], matched["route"], matched["status"]) == ("POST", "/match", 200)
    assert matched["message"].endswith(" ms a1")
    assert matched["ms"] > 0
    assert "search" in matched["stages_ms"]
    assert (absent["route"], absent["problem"]) == ("/postings/{posting_id}/matches", "posting-not-found")
    assert (nowhere["route"], nowhere["problem"]) == ("none", "not-found")
    assert "forged" not in caplog.text


def test_no_image_title_or_query_is_in_the_log(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client.post(
        "/match?limit=3", files={"image": ("secret-name.png", image_bytes("red"))}, data={"title": "secret title"}
    )
    client.get("/postings/p0?secret=query")
    ours = [it for it in caplog.records if not it.name.startswith("httpx")]
    logged = str([(it.getMessage(), getattr(it, FIELDS, None)) for it in ours])
    assert "secret" not in logged
    assert "PNG" not in logged


def test_the_access_log_may_be_turned_off(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    serve(access_log=False).get("/postings/p0")
    assert lines(caplog) == []
