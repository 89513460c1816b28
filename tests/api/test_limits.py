"""Bodies that do not come."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import httpx2
import pytest
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from pricematch.api.limits import MemoryLimits
from pricematch.serving.service import Service
from pricematch.settings import KIB, MIB, Settings
from tests.support.applications import Serve
from tests.support.contract import PREFIX, assert_problem
from tests.support.fakes import image_bytes
from tests.support.http_bytes import send_pieces
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


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("PUT", "/postings/import", MIB),
        ("PUT", "/postings/p0", MIB),
        ("POST", "/match", MIB),
        ("POST", "/cluster", MIB),
        ("PUT", "/verdicts/p0/p1", 64 * KIB),
        ("PUT", "/models/cae", 64 * KIB),
    ],
)
def test_limits_of_bodies_are_their_routes(serve: Serve, method: str, path: str, limit: int) -> None:
    """The route that is found says how much may be announced, whatever else its path resembles: fault F4."""
    client = serve(max_body_bytes=MIB)

    def announce(size: int) -> httpx2.Response:
        headers = {"Content-Type": "application/json", "Content-Length": str(size)}
        return client.request(method, path, content=b"x", headers=headers)

    beyond = announce(limit + 1)
    assert_problem(beyond, 413, "body-too-large")
    assert beyond.json()["detail"] == f"expected a body of at most {limit} bytes"
    assert announce(limit).status_code in {400, 415, 422, 429}


@pytest.mark.parametrize("path", ["/postings/import", "/verdicts/p0/p1"])
def test_bodies_beyond_the_limit_of_their_route_are_read_no_further(serve: Serve, path: str) -> None:
    """A PUT to the path of imports has the limit of postings, though it does not announce its size: fault F4."""
    client = serve(max_body_bytes=MIB)
    answered = send_pieces(client.app, path, {"Content-Type": "application/json"}, [bytes(64 * KIB)] * 40, method="PUT")
    assert (answered.status, answered.problem["type"]) == (413, f"{PREFIX}body-too-large")
    assert answered.pieces_read == (17 if path == "/postings/import" else 2)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/postings/import/", 404), ("POST", "/postings", 405), ("GET", "/postings", 200), ("PUT", "/", 404)],
)
def test_bodies_that_no_route_wants_are_not_read(serve: Serve, method: str, path: str, status: int) -> None:
    """Where nothing is served, or nothing is sent, the body is left alone: fault F4."""
    answered = send_pieces(serve().app, path, {"Content-Length": str(600 * MIB)}, [bytes(KIB)] * 9, method=method)
    assert (answered.status, answered.pieces_read) == (status, 0)


class Reader:
    """A client that takes one piece of its answer whenever it is told to."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.taken: list[int] = []
        self.takes = asyncio.Semaphore(0)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.statuses.append(message["status"])
            return
        await self.takes.acquire()
        self.taken.append(len(message["body"]))


def test_answers_that_wait_count_as_held() -> None:
    """A large answer goes in pieces; while others fill the memory the next is 429, small ones go: fault F5."""
    size = 300 * KIB

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": bytes(scope["size"])})

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def scenario() -> None:
        limits = MemoryLimits(app, Service(Settings(max_held_bytes=2 * size)))

        def ask(reader: Reader, size: int) -> asyncio.Task[None]:
            scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "size": size}
            return asyncio.create_task(limits(scope, receive, reader.send))

        slow, slower, refused, small, later = (Reader() for _ in range(5))
        waiting = [ask(slow, size), ask(slower, size)]
        await asyncio.sleep(0)
        for reader, asked in ((refused, size), (small, 64 * KIB)):
            reader.takes.release()
            await ask(reader, asked)
        assert (refused.statuses, small.statuses, small.taken) == ([429], [200], [64 * KIB])
        for _ in range(5):
            slow.takes.release()
            slower.takes.release()
        await asyncio.gather(*waiting)
        assert slow.taken == [64 * KIB] * 4 + [size - 256 * KIB]
        for _ in range(20):
            later.takes.release()
        await ask(later, 3 * size)  # alone it may be as large as any
        assert (later.statuses, sum(later.taken)) == ([200], 3 * size)

    asyncio.run(asyncio.wait_for(scenario(), SAFETY_SECONDS))


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
    call: Callable[..., Awaitable[None]] = MemoryLimits(app, service)
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
