"""Bodies that do not come."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from pricematch.api.limits import BodyLimits
from pricematch.serving.service import Service
from pricematch.settings import Settings
from tests.support.applications import Serve
from tests.support.contract import assert_problem
from tests.support.fakes import image_bytes
from tests.support.waiting import SAFETY_SECONDS

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
    assert client.post("/match", content=image_bytes("red"), headers=PNG).status_code == 200


def run(pauses: list[float], seconds: float, idle_seconds: float, after: float = 0.0) -> list[bytes]:
    """The pieces that an application gets that come after these pauses; then it takes its time, and hears no more."""
    pieces: list[bytes] = []

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        while True:
            message = await receive()
            pieces.append(message["body"])
            if not message["more_body"]:
                break
        if after:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(receive(), after)

    await_pieces = iter(enumerate(pauses, start=1))

    async def receive() -> Message:
        number, pause = next(await_pieces, (0, 1000.0))
        await asyncio.sleep(pause)
        return {"type": "http.request", "body": b"x", "more_body": number < len(pauses)}

    async def send(_: Message) -> None:
        raise AssertionError("nothing is sent")

    service = Service(Settings(body_seconds=seconds, body_idle_seconds=idle_seconds))
    call: Callable[..., Awaitable[None]] = BodyLimits(app, service, "/postings/import")
    scope = {"type": "http", "method": "POST", "path": "/match", "headers": []}
    asyncio.run(call(scope, receive, send))  # type: ignore[arg-type]
    return pieces


def test_a_body_in_time_is_passed_on_as_it_comes() -> None:
    assert run([0.0, 0.01, 0.01], SAFETY_SECONDS, SAFETY_SECONDS) == [b"x"] * 3


def test_fault_19_one_that_takes_too_long_between_two_pieces_is_ended() -> None:
    with pytest.raises(HTTPException) as ended:
        run([0.0, SAFETY_SECONDS], SAFETY_SECONDS, 0.05)
    assert ended.value.status_code == 408
    assert ended.value.detail == "expected the body a piece every 0.05 s"
    assert ended.value.headers == {"Connection": "close"}


def test_fault_19_one_that_drips_is_ended_at_the_deadline() -> None:
    with pytest.raises(HTTPException, match=r"expected the body within 0\.2 s"):
        run([0.02] * 1000, 0.2, SAFETY_SECONDS)


def test_once_it_is_whole_there_is_time() -> None:
    assert run([0.0], 0.4, 0.4, after=0.8) == [b"x"]
