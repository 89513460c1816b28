"""GET /healthz and /readyz, and what the others answer before the service is ready."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from pricematch.api.app import create_app
from pricematch.serving.service import Service
from pricematch.settings import Settings
from tests.support.applications import backend
from tests.support.contract import assert_problem, client_of
from tests.support.fakes import image_bytes, tiny_images, tiny_matcher


@pytest.fixture
def service() -> Service:
    return Service(Settings())


@pytest.fixture
def starting(service: Service) -> Iterator[TestClient]:
    """A client of a service that is still starting."""
    with client_of(create_app(service)) as client:
        yield client


def test_a_starting_service_is_alive_but_not_ready(starting: TestClient, service: Service) -> None:
    """It reports its progress."""
    assert starting.get("/healthz").json() == {"status": "ok"}
    assert_problem(starting.get("/readyz"), 503, "not-ready")
    service.report("the service is starting: loading models, 0 of 1")
    response = starting.get("/readyz")
    assert response.json()["detail"] == "the service is starting: loading models, 0 of 1"
    assert int(response.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/match"),
        ("POST", "/cluster"),
        ("GET", "/postings/p0"),
        ("GET", "/postings/p0/image"),
        ("GET", "/postings/p0/matches"),
    ],
)
def test_what_needs_the_catalogue_waits_until_ready(
    starting: TestClient, service: Service, method: str, path: str
) -> None:
    asked = {
        "/match": {"files": {"image": image_bytes("#ff0000")}},
        "/cluster": {"json": {"posting_ids": ["p0"]}},
    }.get(path, {})
    response = starting.request(method, path, **asked)  # type: ignore[arg-type]
    assert_problem(response, 503, "not-ready")
    assert int(response.headers["retry-after"]) > 0
    service.open(backend(tiny_matcher(), tiny_images()))
    assert starting.request(method, path, **asked).status_code == 200  # type: ignore[arg-type]


def test_a_ready_service_says_so(client: TestClient) -> None:
    assert client.get("/readyz").json() == {"status": "ready", "unready": 0, "reasons": {}}


def test_a_service_that_cannot_encode_is_not_ready(starting: TestClient, service: Service) -> None:
    """Fault F8: whoever balances loads asks another one; what needs no image is answered."""
    reasons = iter(["no process that encodes is ready", None])
    service.open(replace(backend(tiny_matcher(), tiny_images()), trouble=lambda: next(reasons)))
    response = starting.get("/readyz")
    assert_problem(response, 503, "not-ready")
    assert response.json()["detail"] == "no process that encodes is ready"
    assert int(response.headers["retry-after"]) > 0
    assert starting.get("/postings/p0/matches").status_code == 200
    assert starting.get("/readyz").status_code == 200


def test_a_stopping_service_is_not_ready_but_still_alive_and_answers(starting: TestClient, service: Service) -> None:
    service.open(backend(tiny_matcher(), tiny_images()))
    service.drain()
    assert_problem(starting.get("/readyz"), 503, "not-ready")
    assert starting.get("/readyz").json()["detail"] == "the service is stopping"
    assert starting.get("/healthz").status_code == 200
    assert starting.get("/postings/p0").status_code == 200


def test_the_docs_are_there_before_the_service_is_ready(starting: TestClient) -> None:
    assert starting.get("/docs").status_code == 200
    assert starting.get("/openapi.json").status_code == 200
