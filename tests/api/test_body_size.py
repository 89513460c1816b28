"""Bodies that are too large, and say so or not."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.support.applications import Serve
from tests.support.contract import assert_problem
from tests.support.fakes import picture

PNG = {"Content-Type": "image/png"}


@pytest.fixture
def client(serve: Serve) -> TestClient:
    return serve(max_body_bytes=10_000)


def pieces(count: int, size: int) -> Iterator[bytes]:
    yield from [bytes(size)] * count


def test_one_that_announces_its_size_is_refused_by_that(client: TestClient) -> None:
    response = client.post("/match", content=bytes(10_001), headers=PNG)
    assert_problem(response, 413, "body-too-large")
    assert response.json()["detail"] == "expected a body of at most 10000 bytes"
    assert response.headers["connection"] == "close"


def test_one_that_does_not_is_counted(client: TestClient) -> None:
    assert_problem(client.post("/match", content=pieces(11, 1000), headers=PNG), 413, "body-too-large")
    assert_problem(client.post("/match", content=pieces(10, 1000), headers=PNG), 415, "image-type")


def test_one_that_says_in_two_ways_where_it_ends_is_refused(client: TestClient) -> None:
    headers = {**PNG, "Content-Length": "5", "Transfer-Encoding": "chunked"}
    assert_problem(client.post("/match", content=b"x" * 5, headers=headers), 400, "malformed-request")


@pytest.mark.parametrize("size", ["9" * 18, "9" * 19, "9" * 20])
def test_an_announced_size_of_any_length_is_understood(client: TestClient, size: str) -> None:
    response = client.post("/match", content=b"x", headers={**PNG, "Content-Length": size})
    assert_problem(response, 413, "body-too-large")


def test_one_within_the_limit_is_answered(client: TestClient) -> None:
    assert client.post("/match", content=picture("red"), headers=PNG).status_code == 200
