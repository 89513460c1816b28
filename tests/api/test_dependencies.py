"""Keys, scopes and rates, as clients meet them."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi.routing import APIRoute
from pydantic import SecretStr
from starlette.testclient import TestClient

from pricematch.api.app import create_api
from pricematch.api.dependencies import ADMIN, OPEN, READ, WRITE
from pricematch.api.keys import ApiKey, Scope, new_key
from pricematch.serving.service import Service
from pricematch.settings import Settings
from tests.support.applications import make_app
from tests.support.contract import assert_problem, client_of
from tests.support.fakes import image_bytes

KEYS: dict[Scope, tuple[str, ApiKey]] = {
    "read": new_key("reader", "read"),
    "write": new_key("writer", "write"),
    "admin": new_key("admin", "admin"),
}
LINES = SecretStr(",".join(kept.line() for _, kept in KEYS.values()))


def bearer(scope: Scope) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[scope][0]}"}


@pytest.fixture
def closed() -> Iterator[Any]:
    """Makes clients of applications that ask for keys."""
    with ExitStack() as stack:
        yield lambda **given: stack.enter_context(client_of(make_app(api_keys=LINES, **given)))


def routes() -> list[APIRoute]:
    """All that are ours: those of the routers that the application includes."""
    routers = [
        included.original_router
        for included in create_api(Service(Settings())).routes
        if hasattr(included, "original_router")
    ]
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


def test_every_endpoint_says_who_may_ask() -> None:
    assert len(routes()) > 15
    for route in routes():
        declared = [one for one in route.dependencies if one in (READ, WRITE, ADMIN, OPEN)]
        assert len(declared) == 1, f"{route.methods} {route.path}"
        changes = (route.methods or set()) & {"PUT", "DELETE"} or route.path == "/postings/import"
        assert not changes or declared[0] in (WRITE, ADMIN), f"{route.methods} {route.path}"


def test_only_health_is_open_to_everybody() -> None:
    assert {route.path for route in routes() if OPEN in route.dependencies} == {"/healthz", "/readyz"}


def test_without_a_key_nothing_of_the_catalogue_is_answered(closed: Any) -> None:
    client = closed(refusals_at_once=1000)
    for route in routes():
        path = route.path.replace("{posting_id}", "p0").replace("{other_id}", "p1")
        for method in route.methods or ():
            response = client.request(method, path)
            if OPEN in route.dependencies:
                assert response.status_code == 200
            else:
                assert_problem(response, 401, "unauthenticated")
                assert response.headers["www-authenticate"] == "Bearer"
                assert "p0" not in response.text


def test_the_description_is_open_and_names_no_posting(closed: Any) -> None:
    client = closed()
    assert client.get("/docs").status_code == 200
    document = client.get("/openapi.json")
    assert '"p0"' not in document.text
    assert document.json()["components"]["securitySchemes"].keys() == {"key", "keyHeader"}
    assert {"401", "403", "429"} <= document.json()["paths"]["/match"]["post"]["responses"].keys()
    assert "401" not in document.json()["paths"]["/healthz"]["get"]["responses"]


def test_a_key_is_taken_from_either_header(closed: Any) -> None:
    client = closed()
    assert client.get("/postings/p0", headers=bearer("read")).status_code == 200
    assert client.get("/postings/p0", headers={"X-API-Key": KEYS["read"][0]}).status_code == 200
    assert client.post("/match", files={"image": image_bytes("red")}, headers=bearer("read")).status_code == 200
    for header in ("Basic abc", "Bearer", "Bearer ", f"bearer{KEYS['read'][0]}", f"Bearer {KEYS['read'][0]} x"):
        assert_problem(client.get("/postings/p0", headers={"Authorization": header}), 401, "unauthenticated")


def test_a_key_is_not_taken_from_the_address(closed: Any) -> None:
    key = KEYS["admin"][0]
    assert_problem(closed().get("/postings/p0", params={"api_key": key, "key": key}), 401, "unauthenticated")


def test_a_scope_covers_what_it_says(closed: Any) -> None:
    client = closed()
    statuses: dict[Scope, int] = {"read": 403, "write": 200, "admin": 200}
    for scope, status in statuses.items():
        response = client.put("/postings/p0", json={"title": "kopi"}, headers=bearer(scope))
        assert response.status_code == status
    assert_problem(client.delete("/postings/p0", headers=bearer("read")), 403, "forbidden")
    assert client.get("/postings/p0", headers=bearer("read")).status_code == 200


def test_a_key_is_checked_before_the_body_is_read(closed: Any) -> None:
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield bytes(1000)

    response = closed().post("/match", content=endless(), headers={"Content-Type": "image/png"})
    assert_problem(response, 401, "unauthenticated")


def test_fault_44_wrong_keys_are_limited_never_logged_and_right_ones_go_on(
    closed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client, statuses = closed(refusals_per_second=0.001), []
    for number in range(60):
        response = client.get("/postings/p0", headers={"Authorization": f"Bearer secret-{number}"})
        statuses.append(response.status_code)
        if response.status_code == 429:
            assert_problem(response, 429, "rate-exceeded")
            assert int(response.headers["retry-after"]) >= 1
    assert statuses == sorted(statuses)
    assert statuses.count(401) == 20
    assert client.get("/postings/p0", headers=bearer("read")).status_code == 200
    assert "secret-" not in caplog.text
    assert KEYS["read"][0] not in caplog.text


def test_a_key_that_asks_too_often_is_told_when_it_may_again_and_others_go_on(closed: Any) -> None:
    client = closed(requests_per_second=0.001, requests_at_once=2)
    for _ in range(2):
        assert client.get("/postings/p0", headers=bearer("read")).status_code == 200
    response = client.get("/postings/p0", headers=bearer("read"))
    assert_problem(response, 429, "rate-exceeded")
    assert int(response.headers["retry-after"]) > 500
    assert client.get("/postings/p0", headers=bearer("write")).status_code == 200
    assert client.get("/healthz").status_code == 200


def test_metrics_take_a_key_unless_they_are_open_or_off(closed: Any) -> None:
    assert_problem(closed().get("/metrics"), 401, "unauthenticated")
    assert closed().get("/metrics", headers=bearer("read")).status_code == 200
    assert closed(metrics="open").get("/metrics").status_code == 200
    assert "/metrics" not in closed(metrics="off").get("/openapi.json").json()["paths"]


def test_without_keys_nothing_asks_for_one(client: TestClient) -> None:
    assert client.get("/postings/p0").status_code == 200
    assert client.get("/postings/p0", headers={"Authorization": "Bearer whatever"}).status_code == 200
