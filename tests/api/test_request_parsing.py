"""What a connection makes of the bytes of requests, however they are split, without a network in between."""

import asyncio
import json
import random
import re
from collections.abc import Callable, Coroutine, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from pricematch.api.connections import protocol
from pricematch.api.limits import HeadCheck
from pricematch.settings import KIB, MIB, Settings
from tests.support.http_bytes import AMBIGUOUS, CHUNKED, HEALTH, NEXT, POST, STREAM, TOLD, UPGRADE, size
from tests.support.waiting import SAFETY_SECONDS

HEADER_BYTES = 8 * KIB
LIMITS = Settings(max_header_bytes=HEADER_BYTES)
READ = 256 * KIB
"""Bytes that asyncio reads at a time."""


class Client(asyncio.Transport):
    """The other side: takes what is written, and sends only while the connection reads."""

    def __init__(self) -> None:
        super().__init__()
        self.received, self.closed, self.reading = bytearray(), False, True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.closed:
            self.received += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""


class App:
    """Answers with the request that it got; `/early` without reading its body, `/held` once it is released.

    Attributes:
        executed: the requests whose bodies were read to their end, as they are answered.
        scopes: all requests.
    """

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.executed: list[Any] = []
        self.working, self.most_working = 0, 0
        self.released = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        self.working += 1
        self.most_working = max(self.most_working, self.working)
        try:
            await self._answer(scope, receive, send)
        finally:
            self.working -= 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", scope["path"] != "/early"
        if scope["path"] == "/held":
            watching = asyncio.ensure_future(receive())
            await self.released.wait()
            watching.cancel()
            more = False
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        self.executed.append([scope["method"], scope["path"], body.decode("latin-1")])
        await asyncio.sleep(0)  # others have their turn while it works
        content = json.dumps(self.executed[-1]).encode()
        headers = [(b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


class Connection:
    """One connection to an `App`, as the server makes it; to be made inside of a loop."""

    def __init__(self, **given: Any) -> None:
        self.app, self.client = App(), Client()
        self.faults: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.faults.append(context))
        limits = LIMITS.model_copy(update=given)
        app: ASGIApp = HeadCheck(self.app, HEADER_BYTES)
        kind: Any = protocol(limits)
        config = Config(
            app, http=kind, ws="none", lifespan="off", log_config=None, timeout_keep_alive=limits.keep_alive_seconds
        )
        config.load()
        self.protocol: asyncio.Protocol = kind(config=config, server_state=ServerState(), app_state={})
        self.protocol.connection_made(self.client)

    async def send(self, *pieces: bytes) -> bytes:
        """Everything that was answered up to now, once these pieces are sent."""
        for piece in pieces:
            async with asyncio.timeout(SAFETY_SECONDS):
                while not self.client.reading and not self.client.closed:
                    await asyncio.sleep(0)
            if self.client.closed:
                break
            self.protocol.data_received(piece)
            await asyncio.sleep(0)
        for _ in range(200):
            await asyncio.sleep(0)
        return bytes(self.client.received)

    async def end(self) -> None:
        """The client goes."""
        self.client.closed = True
        self.protocol.connection_lost(None)
        await asyncio.sleep(0)
        assert not self.faults


def run(scenario: Callable[[Connection], Coroutine[Any, Any, None]], **given: Any) -> None:
    """Play a scenario on a connection."""

    async def play() -> None:
        connection = Connection(**given)
        await scenario(connection)
        await connection.end()

    asyncio.run(asyncio.wait_for(play(), 60))


def answered(*pieces: bytes) -> tuple[bytes, Connection]:
    """What a connection answers to these pieces, and that connection."""
    found: list[tuple[bytes, Connection]] = []

    async def send(connection: Connection) -> None:
        found.append((await connection.send(*pieces), connection))

    run(send)
    return found[0]


def statuses(answer: bytes) -> list[int]:
    """Of each answer."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answer)]


def split(stream: bytes, cuts: Sequence[int]) -> list[bytes]:
    """The stream in pieces."""
    ends = sorted({0, len(stream), *cuts})
    return [stream[start:end] for start, end in pairwise(ends)]


@settings(deadline=None, max_examples=100)
@given(cuts=st.lists(st.integers(1, len(STREAM) - 1), max_size=40))
def test_requests_are_the_same_however_split(cuts: list[int]) -> None:
    """Requests on one connection do not depend on the pieces in which their bytes come."""
    answer, connection = answered(*split(STREAM, cuts))
    assert connection.app.executed == TOLD
    assert statuses(answer) == [200] * len(TOLD)


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_requests_are_the_same_in_the_smallest_pieces(length: int) -> None:
    """Single bytes make the same requests, which are worked on one after the other."""
    _, connection = answered(*split(STREAM, range(0, len(STREAM), length)))
    assert connection.app.executed == TOLD
    assert connection.app.most_working == 1


@pytest.mark.parametrize("kind", sorted(AMBIGUOUS))
@pytest.mark.parametrize("length", [1, 7, 4 * KIB])
def test_ambiguous_requests_are_refused_and_nothing_behind_them_executed(kind: str, length: int) -> None:
    """What another server might read differently is answered 400, and its connection closed."""
    request = AMBIGUOUS[kind] + NEXT
    answer, connection = answered(*split(request, range(0, len(request), length)))
    assert statuses(answer) == [400]
    assert connection.client.closed
    assert connection.app.executed == []


@pytest.mark.parametrize("kind", sorted(AMBIGUOUS))
def test_ambiguous_requests_are_refused_behind_others(kind: str) -> None:
    """The same holds for a further request on a connection."""

    async def ask(connection: Connection) -> None:
        await connection.send(HEALTH + b"\r\n")
        assert statuses(await connection.send(AMBIGUOUS[kind] + NEXT)) == [200, 400]
        assert connection.client.closed
        assert connection.app.executed == [["GET", "/healthz", ""]]

    run(ask)


@pytest.mark.parametrize("before", [b"", NEXT], ids=["first", "further"])
@pytest.mark.parametrize(
    ("start", "end"),
    [(HEALTH + b"X: ", b"\r\n\r\n"), (b"GET /", b" HTTP/1.1\r\nHost: x\r\n\r\n"), (HEALTH + b"X: y\r\n", b"\r\n")],
    ids=["header", "path", "headers"],
)
def test_heads_within_the_limit_are_answered_and_longer_ones_refused(before: bytes, start: bytes, end: bytes) -> None:
    """`max_header_bytes` is the most that a request's target and headers may have."""
    filler = b"z: y\r\n" if start.endswith(b"\r\n") else b"y"
    fitting, long = (start + filler * (count // len(filler)) + end for count in (HEADER_BYTES // 2, 3 * HEADER_BYTES))
    first = [200] if before else []
    assert statuses(answered(before, fitting)[0]) == [*first, 200]
    answer, connection = answered(before, long)
    assert statuses(answer) == [*first, 400]
    assert connection.client.closed


@pytest.mark.parametrize(
    "endless",
    [
        HEALTH + b"X: y\r\n" * MIB,
        HEALTH + b"X: " + b"y" * 4 * MIB,
        b"GET /" + b"y" * 4 * MIB,
        CHUNKED + b"3;" + b"x" * 4 * MIB,
        CHUNKED + b"0\r\n" + b"X: y\r\n" * MIB,
        CHUNKED + b"0\r\nX: " + b"y" * 4 * MIB,
        CHUNKED + b"1\r\nx\r\n" * MIB,
        b"POST /early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400000\r\n" + bytes(4 * MIB),
    ],
    ids=["headers", "header", "path", "extension", "trailers", "trailer", "single bytes", "unread body"],
)
@pytest.mark.parametrize("length", [20_000, READ])
def test_bytes_without_a_request_or_a_read_body_have_an_end(endless: bytes, length: int) -> None:
    """Heads, framing of bodies and bodies that nobody reads are cut off: fault F2."""

    async def pour(connection: Connection) -> None:
        sent = 0
        while not connection.client.closed and sent < 4 * MIB:
            await connection.send(endless[sent : sent + length])
            sent += length
        assert sent <= 2 * MIB
        parsed = [scope["headers"] for scope in connection.app.scopes]
        assert sum(len(name) + len(value) for headers in parsed for name, value in headers) < HEADER_BYTES + 128 * KIB

    run(pour)


UNREAD = b"POST /early HTTP/1.1\r\nHost: x\r\n" + size(bytes(4 * MIB))


@pytest.mark.parametrize("length", [20_000, READ])
def test_an_unread_body_of_known_length_may_come_whole(length: int) -> None:
    """Who sends it gets the response, and a proxy does not answer 502 in its place."""
    assert statuses(answered(*split(UNREAD + NEXT, range(length, len(UNREAD), length)))[0]) == [200, 200]


def test_an_unread_body_does_not_come_for_ever() -> None:
    """It has `header_seconds` once its response is sent."""

    async def pour(connection: Connection) -> None:
        await connection.send(UNREAD[:READ])
        await connection.send(UNREAD[READ : 2 * READ])
        async with asyncio.timeout(SAFETY_SECONDS):
            while not connection.client.closed:
                await asyncio.sleep(0.01)
                await connection.send(b"x")

    run(pour, header_seconds=0.05, keep_alive_seconds=600)


@pytest.mark.parametrize(
    "stream",
    [
        CHUNKED + b"%x\r\n" % MIB + b"\r\n\r\n" * (MIB // 4),
        CHUNKED + b"4\r\n\r\n\r\n\r\n" * (MIB // 9),
        b"\r\n\r\n" * (MIB // 4),
        NEXT * (MIB // len(NEXT)),
        b"POST /early HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n\r\r\n" * (MIB // 6),
    ],
    ids=["one chunk of line ends", "chunks of line ends", "line ends", "requests", "unread single bytes"],
)
def test_bytes_are_parsed_once_in_bounded_pieces(stream: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever they are, uvicorn gets each byte at most once, and few at a time where requests may hide: fault F2."""
    fed = pieces_fed(monkeypatch)
    answered(*split(stream, range(0, len(stream), READ)))
    assert sum(fed) <= len(stream)
    assert max(fed) <= 2 * KIB


def pieces_fed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the pieces that uvicorn gets to parse, from now on."""
    fed: list[int] = []
    parse = HttpToolsProtocol.data_received

    def counted(connection: HttpToolsProtocol, data: bytes) -> None:
        fed.append(len(data))
        parse(connection, data)

    monkeypatch.setattr(HttpToolsProtocol, "data_received", counted)
    return fed


def test_bodies_of_known_length_are_parsed_in_large_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload costs no more for its size than that it is copied."""
    fed, upload = pieces_fed(monkeypatch), POST + size(bytes(MIB))
    answer, _ = answered(*split(upload, range(0, len(upload), READ)))
    assert statuses(answer) == [200]
    assert len(fed) <= 2 + 2 * MIB // READ


def test_answers_to_bodies_that_nobody_reads_are_heard() -> None:
    """Whoever sends up to 1 MiB that nobody reads keeps the connection, and no answer is lost."""

    async def refuse(connection: Connection) -> None:
        early = b"POST /early HTTP/1.1\r\nHost: x\r\n" + size(bytes(MIB))
        for start in range(0, len(early), READ):
            await connection.send(early[start : start + READ])
        assert statuses(await connection.send(NEXT)) == [200, 200]

    run(refuse)


@pytest.mark.parametrize("chunk", [64, 8 * KIB])
def test_chunked_bodies_are_read_whole(chunk: int) -> None:
    """The framing of a chunked body of usual chunks costs nobody the connection."""
    body = (b"%x\r\n" % chunk + bytes(chunk) + b"\r\n") * (8 * MIB // chunk) + b"0\r\n\r\n"
    request = CHUNKED + body
    answer, connection = answered(*split(request, range(0, len(request), READ)))
    assert statuses(answer) == [200]
    assert len(connection.app.executed[0][2]) == 8 * MIB


@pytest.mark.parametrize(
    "trailer", [b"X-API-Key: mine", b"Authorization: Bearer mine", b"X-Forwarded-For: 1.2.3.4", b"Host: y"]
)
def test_trailers_are_no_headers_of_importance(trailer: bytes) -> None:
    """What stands behind a chunked body overrules no header that decides."""
    name = trailer.partition(b":")[0]
    head = CHUNKED.replace(b"Host: x\r\n", b"Host: x\r\n" + (b"" if name == b"Host" else name + b": theirs\r\n"))
    answer, connection = answered(head + b"1\r\nx\r\n0\r\n" + trailer + b"\r\n\r\n" + NEXT)
    assert statuses(answer) == [400]
    assert connection.app.executed == []


def test_pipelined_requests_are_worked_on_one_after_the_other() -> None:
    """Requests that come at once are answered in order, one at a time."""

    async def pipeline(connection: Connection) -> None:
        await connection.send(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n" + NEXT * 1000)
        assert len(connection.app.scopes) == 1
        connection.app.released.set()
        while len(connection.app.executed) < 1001:
            await asyncio.sleep(0.01)
        assert connection.app.most_working == 1

    run(pipeline)


def test_pipelined_requests_wait_unread() -> None:
    """Of requests poured over one that is worked on few are parsed, and no more are read: fault F2."""

    async def pour(connection: Connection) -> None:
        await connection.send(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.protocol.data_received(NEXT * 2000)
        for _ in range(200):
            await asyncio.sleep(0)
        connection.protocol.flow.resume_reading()  # type: ignore[attr-defined]  # as who waits for the client to go
        assert not connection.client.reading
        assert len(connection.protocol.pipeline) < 100  # type: ignore[attr-defined]  # it is uvicorn's
        connection.app.released.set()
        while len(connection.app.executed) < 2001:
            await asyncio.sleep(0.01)
        assert connection.client.reading

    run(pour)


def test_a_patient_pipeline_is_never_cut_off() -> None:
    """A connection counts anew whenever it is idle."""

    async def ask(connection: Connection) -> None:
        for _ in range(300):
            await connection.send(HEALTH + b"X: " + b"y" * (HEADER_BYTES - 100) + b"\r\n\r\n")
        assert len(connection.app.executed) == 300

    run(ask)


@pytest.mark.parametrize("wish", [b"Connection: upgrade\r\nUpgrade: websocket\r\n", UPGRADE])
@pytest.mark.parametrize("apart", [True, False])
def test_upgrades_are_not_taken(wish: bytes, apart: bool) -> None:
    """A wish to upgrade is answered like any other request, and the connection closed."""
    request = HEALTH + wish + b"\r\n"
    answer, connection = answered(*([request, NEXT] if apart else [request + NEXT]))
    assert statuses(answer) == [200]
    assert b"connection: close" in answer
    assert connection.app.executed == [["GET", "/healthz", ""]]
    assert connection.client.closed


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("body", [size(NEXT), b"Transfer-Encoding: chunked\r\n\r\n1f\r\n" + NEXT + b"\r\n0\r\n\r\n"])
def test_bodies_behind_a_wish_to_upgrade_are_refused(body: bytes, apart: bool) -> None:
    """The body of such a request is never taken for requests, in whatever pieces it comes."""
    head, _, content = (POST + UPGRADE + body).partition(b"\r\n\r\n")
    pieces = [head + b"\r\n\r\n", content] if apart else [head + b"\r\n\r\n" + content]
    answer, connection = answered(*pieces)
    assert statuses(answer) == [400]
    assert connection.app.executed == []
    assert connection.client.closed


def test_waiting_clients_get_100_continue() -> None:
    """`Expect: 100-continue` is answered before the body is read."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    answer, connection = answered(head, b"abc")
    assert statuses(answer) == [100, 200]
    assert connection.app.executed == [["POST", "/", "abc"]]


@pytest.mark.parametrize("host", [b"", b"Host: x\r\n"])
def test_old_clients_are_answered_and_their_connections_closed(host: bytes) -> None:
    """HTTP/1.0 needs no Host, and has one request a connection."""
    answer, connection = answered(b"GET / HTTP/1.0\r\n" + host + b"Connection: keep-alive\r\n\r\n" + NEXT)
    assert connection.app.executed == [["GET", "/", ""]]
    assert b"connection: close\r\n" in answer
    assert connection.client.closed


def test_nothing_is_read_behind_the_last_request() -> None:
    """Whoever says `Connection: close` has no further request."""
    answer, connection = answered(HEALTH + b"Connection: close\r\n\r\n" + NEXT, NEXT, b"\0")
    assert statuses(answer) == [200]
    assert len(connection.app.scopes) == 1


@pytest.mark.parametrize("target", [b"http://x/a", b"http://x:80/a?b", b"/a?b?c"])
def test_whole_addresses_stand_for_their_paths(target: bytes) -> None:
    """A target may be an absolute URI (RFC 9112, section 3.2.2)."""
    _, connection = answered(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.app.executed == [["GET", "/a", ""]]


def test_waiting_requests_outlast_the_time_of_idle_connections() -> None:
    """Requests that wait for others are answered however short an idle connection is kept."""

    async def wait(connection: Connection) -> None:
        assert statuses(await connection.send(NEXT * 3)) == [200] * 3
        while not connection.client.closed:
            await asyncio.sleep(0.01)

    run(wait, keep_alive_seconds=0)


def test_bodies_may_take_longer_than_heads() -> None:
    """`header_seconds` ends with the head."""

    async def slow(connection: Connection) -> None:
        await connection.send(POST + b"Content-Length: 3\r\n\r\n")
        await asyncio.sleep(0.1)
        await connection.send(b"abc")
        assert connection.app.executed == [["POST", "/match", "abc"]]

    run(slow, header_seconds=0.05)


@pytest.mark.parametrize("start", [b"", b"GET /ne", NEXT + b"GET /ne"], ids=["nothing", "half", "half a further one"])
def test_heads_that_do_not_come_end_the_connection(start: bytes) -> None:
    """A connection is closed once `header_seconds` have passed without a whole head."""

    async def late(connection: Connection) -> None:
        for length in range(len(NEXT), len(start) + len(NEXT), len(NEXT)):
            await connection.send(start[length - len(NEXT) : length])
        while not connection.client.closed:
            await asyncio.sleep(0.01)

    run(late, header_seconds=0.05, keep_alive_seconds=600)


def mutated(luck: random.Random) -> bytes:
    """A stream of requests with something wrong somewhere."""
    stream = bytearray(STREAM)
    for _ in range(luck.randrange(1, 4)):
        at = luck.randrange(len(stream))
        stream[at : at + luck.randrange(3)] = luck.choice(
            [b"", b"\0", b"\n", b"\r", b" ", b":", b"\xff", b"0", b"\r\n"]
        )
    return bytes(stream)


@pytest.mark.parametrize("seed", range(20))
def test_damaged_streams_execute_the_same_requests_in_any_pieces(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """Of a damaged stream no piecing executes a request that another does not, but for how far it gets."""
    luck = random.Random(seed)
    for _ in range(20):
        stream = mutated(luck)
        _, whole = answered(stream)
        _, pieces = answered(*split(stream, [luck.randrange(len(stream)) for _ in range(luck.randrange(60))]))
        shared = min(len(whole.app.executed), len(pieces.app.executed))
        assert whole.app.executed[:shared] == pieces.app.executed[:shared]
        assert pieces.app.most_working <= 1
    assert "Traceback" not in caplog.text
