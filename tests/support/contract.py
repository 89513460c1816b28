"""What holds for every answer, whatever the test is about."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpx2
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from pricematch.api.app import create_api
from pricematch.serving.service import Service
from pricematch.settings import Settings
from tests.support.fakes import image_bytes

PREFIX = "urn:pricematch:problem:"
_NAMESPACE = re.compile(r"^/namespaces/[^/]+(?=/)")
_INSIDE = re.compile(r'Traceback|site-packages|File \\?"/|/home/|/tmp/|object at 0x')


@contextmanager
def client_of(app: ASGIApp) -> Iterator[TestClient]:
    """A client of the running application that checks every answer against the contract."""
    with TestClient(app, raise_server_exceptions=False, follow_redirects=False) as client:
        client.event_hooks = {"response": [lambda response: check(response, documented())]}
        yield client


@cache
def documented() -> dict[str, Any]:
    """The API's description; that of a service which is still starting, so without examples."""
    return create_api(Service(Settings())).openapi()


def check(response: httpx2.Response, document: Mapping[str, Any]) -> None:
    """The answer is documented for its path, is a problem if it is no success, and tells nothing of the inside."""
    response.read()
    if response.status_code >= 400:
        check_problem(response)
    operations = _operations(response.request.url.path, document)
    method = response.request.method.lower()
    operation = operations.get("get" if method == "head" else method)
    if operation is None:
        expected = (405, *((200, 204) if method == "options" else ())) if operations else (200, 204, 404, 405, 413, 422)
        assert response.status_code in expected, f"{response.request.method} {response.request.url}: {response}"
    else:
        documented = operation["responses"]
        assert str(response.status_code) in documented, f"{response.status_code} is not documented: {response.text}"


def check_problem(response: httpx2.Response) -> None:
    """RFC 9457, and nothing of the inside."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    if response.request.method == "HEAD":
        return
    problem = response.json()
    assert problem["type"].startswith(PREFIX)
    assert problem["status"] == response.status_code
    assert problem["title"]
    assert problem["detail"]
    assert set(problem) <= {"type", "title", "status", "detail", "errors", "start_at"}
    assert not _INSIDE.search(response.text), response.text


def assert_problem(response: httpx2.Response, status: int, slug: str) -> None:
    """The answer is this problem."""
    assert (response.status_code, response.json().get("type")) == (status, PREFIX + slug), response.text


def assert_still_answers(client: TestClient) -> None:
    """The next valid request succeeds."""
    response = client.post("/match", files={"image": image_bytes("#ff0000")})
    assert response.status_code == 200, response.text
    assert response.json()["matches"][0]["posting_id"] == "p0"


def _operations(path: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of the templates that a path fits, or it with the version in front; those of more literal ones first."""
    found: dict[str, Any] = {}
    whole, path = path, _NAMESPACE.sub("", path, count=1)
    paths = (path, f"/v1{path}")
    for template in sorted(document["paths"], key=lambda template: -template.count("{")):
        pattern = re.sub(r"\{\w+\}", "[^/]+", template)
        if any(re.fullmatch(pattern, it) for it in paths):
            operations = document["paths"][template]
            # those with servers of their own are not below a namespace
            found |= {it: one for it, one in operations.items() if path == whole or "servers" not in one}
    return found
