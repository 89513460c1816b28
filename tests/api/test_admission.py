"""What the service does when more is asked than it can do: it says so at once (rows 37, 39 and 40 of the faults)."""

import asyncio
import json
import resource
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from pricematch.api.limits import MemoryLimits
from pricematch.errors import Overloaded
from pricematch.serving.service import Service
from pricematch.settings import KIB, MIB, Settings
from tests.support.applications import Serve
from tests.support.contract import assert_problem, assert_still_answers
from tests.support.encoding import TinyEncoding
from tests.support.fakes import GatedEncoder, image_bytes
from tests.support.running_service import TinyService, running
from tests.support.waiting import SAFETY_SECONDS, eventually

pytestmark = pytest.mark.process

RED = image_bytes("#ff0000")
UPLOADS = 1000
GROWTH_KIB = 500 * KIB
MATCH: Scope = {"type": "http", "method": "POST", "path": "/match", "headers": []}


class Held:
    """An application whose encoder holds what it is asked, and threads that ask."""

    def __init__(self, client: TestClient, encoder: GatedEncoder, pool: ThreadPoolExecutor) -> None:
        self.client, self.encoder, self._pool = client, encoder, pool

    def hold(self) -> "Future[httpx2.Response]":
        """A request that is being encoded, and will be until the gate opens."""
        self.encoder.gate.clear()
        asked = self._pool.submit(self.match)
        self.encoder.enter()
        return asked

    def match(self) -> httpx2.Response:
        """The answer to a red image."""
        return self.client.post("/match", files={"image": RED})


@contextmanager
def held(serve: Serve, **settings: Any) -> Iterator[Held]:
    """An application over a gated encoder, which gets the image of every request."""
    encoder = GatedEncoder()
    with ThreadPoolExecutor(8) as pool:
        try:
            client = serve(encoding=TinyEncoding(encoder), max_cached_feature_bytes=0, **settings)
            yield Held(client, encoder, pool)
        finally:
            encoder.gate.set()


def test_fault_37_requests_beyond_the_limit_are_refused_at_once(serve: Serve) -> None:
    """Requests beyond those that may be in flight are answered 429 without waiting."""
    with held(serve, max_in_flight=2, workers=2) as it:
        asked = [it.hold(), it.hold()]
        refused = it.client.post("/match", files={"image": RED})
        assert_problem(refused, 429, "overloaded")
        assert int(refused.headers["retry-after"]) > 0
        assert_problem(it.client.post("/cluster", json={"posting_ids": ["p0"], "eps": 0.1}), 429, "overloaded")
        assert_problem(it.client.put("/postings/new", json={"title": "new"}), 429, "overloaded")
        assert_problem(it.client.get("/postings/p0/matches"), 429, "overloaded")
        it.encoder.gate.set()
        assert [future.result().status_code for future in asked] == [200, 200]
        assert_still_answers(it.client)


def test_fault_37_health_and_reads_are_answered_under_any_load(serve: Serve) -> None:
    with held(serve, max_in_flight=1) as it:
        asked = it.hold()
        for path in ("/healthz", "/readyz", "/docs", "/postings", "/postings/p0", "/postings/p0/image", "/verdicts"):
            assert it.client.get(path).status_code == 200, path
        it.encoder.gate.set()
        assert asked.result().status_code == 200


class Full(Service):
    """A service without room."""

    def check_room(self) -> None:
        raise Overloaded("0 requests are being answered; try again soon")


def test_fault_37_a_request_that_is_turned_away_is_not_read() -> None:
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        pytest.fail("it should not have been let in")

    async def receive() -> Message:
        pytest.fail("nothing should have been read")

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(MemoryLimits(app, Full(Settings()))(MATCH, receive, send))
    assert sent[0]["status"] == 429
    assert (b"retry-after", b"1") in sent[0]["headers"]
    assert json.loads(sent[1]["body"])["type"] == "urn:pricematch:problem:overloaded"


def test_a_request_of_several_steps_is_let_in_once(serve: Serve) -> None:
    client = serve(max_in_flight=1)
    asked = {"eps": "0.1", "posting_ids": "all"}
    for _ in range(3):
        assert client.post("/cluster", data=asked, files=[("images", RED)]).status_code == 200


def test_fault_39_a_request_that_takes_too_long_is_answered_504(serve: Serve) -> None:
    """Its deadline ends it, and the service goes on."""
    with held(serve, request_seconds=1) as it:
        assert_problem(it.hold().result(SAFETY_SECONDS), 504, "deadline-exceeded")
        it.encoder.gate.set()
        eventually(lambda: it.match().status_code == 200)


def test_fault_39_a_request_that_was_given_up_makes_room_at_once(serve: Serve) -> None:
    """Though what it had begun is not back yet, another one comes as far."""
    with held(serve, request_seconds=1, max_in_flight=1) as it:
        assert_problem(it.hold().result(SAFETY_SECONDS), 504, "deadline-exceeded")
        let_in = it.hold()
        it.encoder.gate.set()
        assert let_in.result(SAFETY_SECONDS).status_code != 429


def test_fault_39_each_failure_of_the_encoder_is_answered_500(serve: Serve) -> None:
    """Whoever asks for something else is answered."""
    poison = image_bytes("#0d0d0d")  # all of 13
    client = serve(encoding=TinyEncoding(GatedEncoder()))
    for _ in range(3):
        assert_problem(client.post("/match", files={"image": poison}), 500, "model-output")
    assert_still_answers(client)


def test_bodies_are_read_while_they_fit_together(serve: Serve) -> None:
    large = image_bytes("#ff0000", size=(100, 100), format="BMP")
    client = serve(max_held_bytes=len(large) - 1)
    for _ in range(3):
        assert client.post("/match", content=large, headers={"Content-Type": "image/bmp"}).status_code == 200


def test_fault_37_a_body_that_does_not_fit_is_answered_429_unread(serve: Serve) -> None:
    """A body that does not fit into memory with the others is read no further."""
    size = 2 * KIB
    held = MemoryLimits(_reads_all, Service(Settings(max_held_bytes=3 * size)))
    receives = _Pieces(size), _Pieces(size)
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def both() -> None:
        first = asyncio.ensure_future(held(MATCH, receives[0], send))
        await receives[0].give(2)
        second = asyncio.ensure_future(held(MATCH, receives[1], send))
        await receives[1].give(1)
        await receives[1].give(1)
        with pytest.raises(Overloaded, match=f"{3 * size} bytes"):
            await second
        await receives[0].give(1)  # there is room again, since the second one's bytes are gone
        await receives[0].end()
        await first
        third = asyncio.ensure_future(held(MATCH, alone := _Pieces(5 * size), send))
        await alone.give(1)
        await alone.end()
        await third

    asyncio.run(both())
    assert len(sent) == 4


class _Pieces:
    """A body that comes piece by piece, when a test says so."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._messages: asyncio.Queue[Message] = asyncio.Queue()

    async def __call__(self) -> Message:
        return await self._messages.get()

    async def give(self, count: int) -> None:
        for _ in range(count):
            self._messages.put_nowait({"type": "http.request", "body": bytes(self._size), "more_body": True})
        await self._taken()

    async def end(self) -> None:
        self._messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        await self._taken()

    async def _taken(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


async def _reads_all(_: Scope, receive: Receive, send: Send) -> None:
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body"})


# --- the service as a process ------------------------------------------------------------------------------------


def post(service: TinyService) -> socket.socket:
    """A whole request, whose answer nobody has read yet."""
    connection = service.connect()
    head = f"POST /match HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: {len(RED)}\r\n\r\n"
    connection.sendall(head.encode() + RED)
    return connection


def is_full(service: TinyService) -> bool:
    """Whether somebody is turned away who would not have to wait for the encoder."""
    return service.ask("GET", "/postings/p0/matches").status == 429


def test_fault_39_while_the_encoder_hangs_the_service_is_not_ready(tmp_path: Path) -> None:
    """Once it hangs for longer than a request may take, which is told at once from then on; until it encodes again."""
    with running(tmp_path, request_seconds=0.5, workers=1) as service:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        (tmp_path / "hold").touch()
        answer = service.match()
        assert (answer.status, answer.body["type"]) == (504, "urn:pricematch:problem:deadline-exceeded")
        eventually(lambda: service.ask("GET", "/readyz").status == 503)
        assert service.ask("GET", "/readyz").body["detail"].startswith("no process that encodes has ended a batch for ")
        answer = service.match()
        assert (answer.status, answer.body["type"]) == (503, "urn:pricematch:problem:not-ready")
        assert float(answer.headers["retry-after"]) > 0
        assert service.ask("GET", "/healthz").status == 200
        (tmp_path / "hold").unlink()
        eventually(lambda: service.match().status == 200)
        assert service.ask("GET", "/readyz").status == 200
        assert "Traceback" not in service.log()


def test_fault_40_a_request_whose_client_left_is_never_encoded(tmp_path: Path) -> None:
    """Its place is free at once."""
    with running(tmp_path, max_in_flight=2, workers=1) as service:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        (tmp_path / "hold").touch()
        first = post(service)
        eventually((tmp_path / "held").exists)
        gone = post(service)
        eventually(lambda: is_full(service))
        gone.close()
        eventually(lambda: not is_full(service))
        (tmp_path / "hold").unlink()
        assert first.recv(64 * KIB).startswith(b"HTTP/1.1 200")
        first.close()
        service.assert_well()
        assert (tmp_path / "encoded").read_text().split() == ["1", "1"]  # the first one, and the one after


@pytest.mark.long  # fewer clients at once stay in `make test`
def test_fault_37_a_thousand_uploads_at_once_take_bounded_memory(tmp_path: Path) -> None:
    """Health is answered meanwhile; whoever is turned away is told when to come again."""
    image = image_bytes("#ff0000", size=(600, 600), format="BMP")
    assert UPLOADS * len(image) > 2 * GROWTH_KIB * KIB
    patient = {"request_seconds": 300, "keep_alive_seconds": 300, "body_seconds": 300, "body_idle_seconds": 300}
    settings = {"workers": 2, "max_in_flight": 16, "max_held_bytes": 64 * MIB, "access_log": False, **patient}
    with running(tmp_path, **settings) as service:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        service.match()
        before = peak_kib(service.process.pid)
        uploaded = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            answered = pool.submit(ask_health, service, uploaded)
            try:
                statuses = asyncio.run(_upload(service.port, image))
            finally:
                uploaded.set()
        assert len(statuses) == UPLOADS
        assert set(statuses) == {200, 429}
        assert statuses.count(200) >= 16
        assert answered.result(SAFETY_SECONDS) > 1
        assert peak_kib(service.process.pid) - before < GROWTH_KIB
        service.assert_well()


def peak_kib(process: int) -> int:
    """The most memory that a process ever had, in KiB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def ask_health(service: TinyService, until: threading.Event) -> int:
    """How often /healthz was answered meanwhile."""
    answered = 0
    while not until.wait(0.02):
        assert service.ask("GET", "/healthz").status == 200
        answered += 1
    return answered


async def _upload(port: int, image: bytes) -> list[int]:
    """Statuses of all uploads."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * UPLOADS)), hard))
    head = f"POST /match HTTP/1.1\r\nHost: a\r\nContent-Type: image/bmp\r\nContent-Length: {len(image)}\r\n\r\n"
    loop = asyncio.get_running_loop()

    async def ask(*request: bytes) -> int:
        with socket.socket() as connection:
            connection.setblocking(False)
            await loop.sock_connect(connection, ("127.0.0.1", port))
            for piece in request:
                await loop.sock_sendall(connection, piece)
            answer = await asyncio.wait_for(loop.sock_recv(connection, 64 * KIB), SAFETY_SECONDS)
        if answer.startswith(b"HTTP/1.1 429"):
            assert b"retry-after: 1\r\n" in answer.lower()
        return int(answer.split(b" ")[1])

    return await asyncio.gather(*(ask(head.encode(), image) for _ in range(UPLOADS)))
