"""What holds for every route: HEAD, OPTIONS, `Allow`, and no parameter that is ignored."""

import asyncio

import pytest
from fastapi.routing import iter_route_contexts
from pydantic import SecretStr
from starlette.testclient import TestClient
from starlette.types import Message, Scope

from pricematch.api.app import create_api
from pricematch.api.keys import new_key
from pricematch.api.placement import Placement
from pricematch.api.routing import EveryRoute
from pricematch.serving.service import Service
from pricematch.settings import Settings
from tests.support.applications import Serve
from tests.support.contract import assert_problem
from tests.support.fakes import image_bytes

OF_ONE_ANSWER = {"x-request-id", "content-length"}
"""Headers that differ from one answer of GET to the next, where the answer itself does."""


def routes() -> list[tuple[str, str]]:
    """The method and a path of every route, those of the description included."""
    found = []
    for route in iter_route_contexts(create_api(Service(Settings())).routes):
        path = str(route.path_format).replace("{posting_id}", "p0").replace("{other_id}", "p1")
        path = path.replace("{job_id}", "0" * 32).replace("{name}", "cae").replace("{path}", "swagger-ui.css")
        found += [(method, path) for method in sorted(route.methods or {"GET"})]
    return found


GETS = sorted({path for method, path in routes() if method == "GET"} | {"/postings/absent", "/no/such", "/match"})


@pytest.mark.parametrize("path", GETS)
def test_head_is_answered_as_get_without_a_body(client: TestClient, path: str) -> None:
    """Status and headers are those of GET, problems included (fault C15)."""
    got, headed = client.get(path), client.head(path)
    assert (headed.status_code, headed.content) == (got.status_code, b"")
    assert set(headed.headers) == set(got.headers)
    for name in set(got.headers) - OF_ONE_ANSWER:
        assert headed.headers[name] == got.headers[name]
    if "took_ms" not in got.text and path != "/metrics":
        assert headed.headers["content-length"] == got.headers["content-length"]


def test_head_knows_what_the_client_knows(client: TestClient) -> None:
    """HEAD takes conditions as GET does (fault C15)."""
    tag = client.head("/postings/p0").headers["etag"]
    assert client.head("/postings/p0", headers={"If-None-Match": tag}).status_code == 304


def test_head_takes_the_key_that_get_takes(serve: Serve) -> None:
    """A key of scope read, and none for health (fault C15)."""
    key, kept = new_key("reader", "read")
    client = serve(api_keys=SecretStr(kept.line()))
    assert client.head("/postings/p0").status_code == 401
    assert client.head("/postings/p0", headers={"X-API-Key": key}).status_code == 200
    assert client.head("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/healthz", "GET, HEAD, OPTIONS"),
        ("/match", "OPTIONS, POST"),
        ("/postings/p0", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/postings/import", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"),
        ("/verdicts/p0/p1", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("/docs", "GET, HEAD, OPTIONS"),
        ("/openapi.json", "GET, HEAD, OPTIONS"),
        ("/static-offline-docs/swagger-ui.css", "GET, HEAD, OPTIONS"),
    ],
)
def test_allow_names_every_method_of_a_path(client: TestClient, path: str, methods: str) -> None:
    """OPTIONS and 405 say so, whichever route comes first (fault C15)."""
    assert client.options(path).status_code == 204
    assert client.options(path).headers["allow"] == methods
    refused = client.request("BREW", path)
    assert_problem(refused, 405, "method-not-allowed")
    assert refused.headers["allow"] == methods


@pytest.mark.parametrize("root_path", ["", "/match-api"])
def test_options_of_everything_names_every_method(root_path: str) -> None:
    """`OPTIONS *` is about the service, not a path (fault C15)."""
    sent: list[Message] = []

    async def receive() -> Message:
        pytest.fail("there is nothing to read")

    async def send(message: Message) -> None:
        sent.append(message)

    app = create_api(Service(Settings()))
    scope: Scope = {"type": "http", "method": "OPTIONS", "path": "*", "query_string": b"", "headers": []}
    asyncio.run(EveryRoute(app, app.routes, Placement(root_path, ()))(scope, receive, send))
    assert sent[0]["status"] == 204
    assert (b"allow", b"DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT") in sent[0]["headers"]


def test_preflights_are_answered_beside_options(serve: Serve) -> None:
    """A browser's OPTIONS is about its site, any other about the path (fault C15)."""
    client, site = serve(cors_origins="https://shop.example"), {"Origin": "https://shop.example"}
    preflight = client.options("/postings/p0", headers={**site, "Access-Control-Request-Method": "HEAD"})
    assert preflight.status_code == 200
    assert "HEAD" in preflight.headers["access-control-allow-methods"]
    assert client.options("/postings/p0", headers=site).headers["allow"].startswith("DELETE")


@pytest.mark.parametrize(("method", "path"), routes())
def test_unknown_parameters_are_refused_everywhere(client: TestClient, method: str, path: str) -> None:
    """Nothing is done, and the parameter is named (fault C16)."""
    before = client.get("/postings").text
    response = client.request(method, path, params={"dryrun": "true"})
    assert response.status_code == 422
    if method != "HEAD":
        assert_problem(response, 422, "invalid-request")
        assert response.json()["errors"][0]["location"] == "query.dryrun"
    assert client.get("/postings").text == before


@pytest.mark.parametrize(
    ("query", "location", "message"),
    [
        ("label_group=18", "query.label_group", "expected no parameter but cursor, filter, limit"),
        ("limt=1", "query.limt", "expected no parameter but cursor, filter, limit; did you mean limit?"),
        ("Limit=1", "query.Limit", "expected no parameter but cursor, filter, limit; did you mean limit?"),
        ("limit=1&limit=2", "query.limit", "expected it once, got it 2 times"),
        ("limit=1&limit=1", "query.limit", "expected it once, got it 2 times"),
        ("limit=1&%6Cimit=1", "query.limit", "expected it once, got it 2 times"),
        ("limit=1&x", "query.x", "expected no parameter but cursor, filter, limit"),
        ("=1", "query.", "expected no parameter but cursor, filter, limit"),
        ("%ff=1", "query.�", "expected no parameter but cursor, filter, limit"),
    ],
)
def test_a_parameter_that_is_refused_is_named(client: TestClient, query: str, location: str, message: str) -> None:
    """With those there are, and the nearest of them (fault C16)."""
    response = client.get(f"/postings?{query}")
    assert_problem(response, 422, "invalid-request")
    assert response.json()["errors"] == [{"location": location, "message": message}]


def test_parameters_of_a_model_are_known_and_come_once(client: TestClient) -> None:
    """Those of matches are declared together (fault C16)."""
    assert client.get("/postings/p0/matches?limit=1&min_similarity=0").status_code == 200
    for path in ("/postings/p0/matches?limit=1&limit=2", "/postings/p0/matches?min-similarity=1"):
        assert_problem(client.get(path), 422, "invalid-request")
    wrong = client.post("/match?min-similarity=1", files={"image": image_bytes("red")})
    assert wrong.json()["detail"].endswith("did you mean min_similarity?")


@pytest.mark.parametrize("query", ["", "&", "&&"])
def test_a_query_without_a_name_is_none(client: TestClient, query: str) -> None:
    """A question mark alone asks for nothing (fault C16)."""
    assert client.get(f"/postings?{query}").status_code == 200


def test_a_flood_of_parameters_is_answered_shortly(client: TestClient) -> None:
    """However many are unknown, the first are named (fault C16)."""
    response = client.get("/postings?" + "&".join(f"x{number}" for number in range(5000)))
    assert_problem(response, 422, "invalid-request")
    assert len(response.json()["errors"]) == 10
    assert len(response.content) < 4096


@pytest.mark.parametrize(
    ("request_fields", "message"),
    [
        ({"json": {"posting_ids": ["p0"], "Eps": 1}}, "did you mean eps?"),
        ({"data": {"posting_ids": "p0", "epps": "1"}, "files": {"images": image_bytes("red")}}, "did you mean eps?"),
        ({"data": {"eps": ["1", "2"]}, "files": {"images": image_bytes("red")}}, "expected it once, got it twice"),
    ],
)
def test_unknown_or_repeated_fields_are_named_alike(client: TestClient, request_fields: dict, message: str) -> None:  # type: ignore[type-arg]
    """The rule of parameters holds for JSON and forms (fault C16)."""
    response = client.post("/cluster", **request_fields)
    assert_problem(response, 422, "invalid-request")
    assert response.json()["errors"][0]["message"].endswith(message)
