"""Ids that no posting can have are answered in one way by every route that takes one in its path."""

import re
from collections.abc import Iterator
from itertools import product
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from pricematch.catalogue.postings import POSTING_ID_RULE
from tests.support.contract import assert_problem, documented

_ID = re.compile(r"\{(posting_id|other_id)\}")
IMPOSSIBLE = {
    "too long": "a" * 129,
    "too many bytes": quote("é" * 65),
    "a control character": "a%0Ab",
    "a line's end": "a%0A",
    "nothing of text": "%00",
    "a slash": "a%2Fb",
    "a slash, in lower case": "a%2fb",
    "slashes alone": "%2F%2F",
    "a slash before an id": "image%2Fp0",
    "a backslash": "a%5Cb",
    "no UTF-8": "a%FF",
    "a sign": "a%3Fb",
    "a blank at its beginning": "%20a",
    "two dots": "%2E%2E",
    "a surrogate": "%ED%A0%80",
}


def paths() -> Iterator[tuple[str, str]]:
    """Method and path of each route with an id in it, `{}` in its place; other parameters are possible ones."""
    for path, operations in documented()["paths"].items():
        for found in _ID.finditer(path):
            whole = path[: found.start()] + "{}" + path[found.end() :]
            yield from ((method.upper(), _ID.sub("p1", whole)) for method in operations)


def test_the_routes_are_found() -> None:
    assert {("PUT", "/v1/postings/{}"), ("GET", "/v1/verdicts/{}/p1"), ("GET", "/v1/verdicts/p1/{}")} <= set(paths())


@pytest.mark.parametrize(("path", "name"), [*product(sorted(set(paths())), IMPOSSIBLE)])
def test_an_impossible_id_is_named(client: TestClient, path: tuple[str, str], name: str) -> None:
    """As malformed, with the rule, whatever is sent beside it; as is what stands without the version in front."""
    method, whole = path
    for address in (whole, whole.removeprefix("/v1")):
        answer = client.request(method, address.format(IMPOSSIBLE[name]))
        assert_problem(answer, 422, "invalid-request")
        [error] = [it for it in answer.json()["errors"] if it["location"].startswith("path.")]
        assert error["message"] == f"expected {POSTING_ID_RULE}"


@pytest.mark.parametrize(
    "path", ["/v1/postings%2Fp0", "/v1/match%2F", "/no%2Fsuch", "/%2F", "/static-offline-docs/a%2Fb"]
)
def test_slashes_in_what_is_no_id_lead_nowhere(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert_problem(answer, 404, "not-found")
    assert repr(path) in answer.json()["detail"]


def test_a_possible_id_that_is_encoded_is_itself(client: TestClient) -> None:
    assert client.get("/v1/postings/%700").json()["posting_id"] == "p0"
