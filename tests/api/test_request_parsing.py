"""What a connection makes of the bytes of requests, however they are split, without a network in between."""

import asyncio
import json
import random
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from pricematch.api.connections import LimitedProtocol, limits
from pricematch.api.problems import Problem
from pricematch.settings import KIB, MIB, Settings
from tests.api.test_server import BROKEN, HEALTH, POST

HEADER_BYTES = 8 * KIB
SETTINGS = Settings(max_header_bytes=HEADER_BYTES, max_connections=10)
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"


class Told:
    """Stands for what counts and logs refusals."""

    def __init__(self) -> None:
        self.statuses: list[int] = []

    def tell(self, problem: Problem, client: str) -> dict[str, str]:
        """Note a refusal."""
        self.statuses.append(problem.status)
        return {}


class Client(asyncio.Transport):
    """The other side: takes what is written, and sends only while the connection reads."""

    def __init__(self) -> None:
        super().__init__()
        self.received, self.closed, self.reading = bytearray(), False, True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.received += data

    def close(self) -> None:
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
    """Answers with the request that it got; `/early` without reading its body, `/begun` in part, until released."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.working, self.most_working, self.gone = 0, 0, 0
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
        body = b""
        if scope["path"] == "/held":
            await self.released.wait()
        elif scope["path"] == "/begun":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await self.released.wait()
            await send({"type": "http.response.body", "body": b"ok"})
            return
        elif scope["path"] != "/early":
            message = await receive()
            body += message.get("body", b"")
            while message.get("more_body"):
                message = await receive()
                body += message.get("body", b"")
            self.gone += message["type"] == "http.disconnect"
        await asyncio.sleep(0)  # others have their turn while it works
        content = json.dumps([scope["method"], scope["path"], body.decode("latin-1")]).encode()
        headers = [(b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


class Connection:
    """One connection to an `App`; to be made inside of a loop."""

    def __init__(self, given: Settings = SETTINGS) -> None:
        self.app, self.client, self.told = App(), Client(), Told()
        self.faults: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.faults.append(context))
        kind = limits(given, self.told)  # type: ignore[arg-type]
        config = Config(self.app, lifespan="off", log_config=None, server_header=False, **kind)
        config.load()
        self.protocol: LimitedProtocol = kind["http"](config, ServerState(), {})
        self.protocol.connection_made(self.client)

    async def send(self, *pieces: bytes) -> bytes:
        """Everything that was answered up to now, once these pieces are sent."""
        for piece in pieces:
            async with asyncio.timeout(60):
                while not self.client.reading and not self.client.closed:
                    await asyncio.sleep(0)
            if self.client.closed:
                break
            self.protocol.data_received(piece)
            await asyncio.sleep(0)
        for _ in range(60):
            await asyncio.sleep(0)
        return bytes(self.client.received)

    async def end(self) -> None:
        """The client goes."""
        self.client.closed = True
        self.protocol.connection_lost(None)
        await asyncio.sleep(0)
        assert not self.faults


def answered(*pieces: bytes) -> tuple[bytes, Connection]:
    """What a connection answers to these pieces, and that connection."""

    async def sent() -> tuple[bytes, Connection]:
        connection = Connection()
        answer = await connection.send(*pieces)
        await connection.end()
        return answer, connection

    return asyncio.run(sent())


def statuses(answer: bytes) -> list[int]:
    """Of each answer."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answer)]


def echoed(answer: bytes) -> list[Any]:
    """What each request was to the application."""
    return [json.loads(line) for line in re.findall(rb'\[".*?"\](?=HTTP|$)', answer)]


def split(stream: bytes, cuts: Sequence[int]) -> list[bytes]:
    """The stream in pieces."""
    ends = sorted({0, len(stream), *cuts})
    return [stream[start:end] for start, end in pairwise(ends)]


def size(content: bytes) -> bytes:
    """The header of a body, and the body."""
    return b"Content-Length: %d\r\n\r\n" % len(content) + content


STREAM = b"".join(
    [
        HEALTH + b"\r\n",
        POST + size(b"one\r\n\r\n" + NEXT),
        CHUNKED + b"3\r\ntwo\r\n4;a=b\r\n\r\n\r\n\r\n0\r\nX: y\r\n\r\n",
        b"GET /early HTTP/1.1\r\nHost: x\r\n" + size(b"never read"),
        POST + UPGRADE + size(b"\r\n\r\n" + NEXT),
        POST + UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n",
        HEALTH + UPGRADE + b"\r\n",
        POST + size(b""),
        NEXT,
    ]
)
TOLD = [
    ["GET", "/healthz", ""],
    ["POST", "/match", "one\r\n\r\n" + NEXT.decode()],
    ["POST", "/match", "two\r\n\r\n"],
    ["GET", "/early", ""],
    ["POST", "/match", "\r\n\r\n" + NEXT.decode()],
    ["POST", "/match", "four"],
    ["GET", "/healthz", ""],
    ["POST", "/match", ""],
    ["GET", "/next", ""],
]


@settings(deadline=None, max_examples=150)
@given(cuts=st.lists(st.integers(1, len(STREAM) - 1), max_size=40))
def test_requests_are_the_same_however_their_bytes_are_split(cuts: list[int]) -> None:
    answer, _ = answered(*split(STREAM, cuts))
    assert echoed(answer) == TOLD


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_requests_are_the_same_in_the_smallest_pieces(length: int) -> None:
    answer, connection = answered(*split(STREAM, range(0, len(STREAM), length)))
    assert echoed(answer) == TOLD
    assert connection.app.most_working == 1


AMBIGUOUS = {name: request for name, request in BROKEN.items() if len(request) < 2 * KIB and name != "TLS"} | {
    "size of many zeros": POST + b"Content-Length: " + b"0" * 30 + b"4\r\n\r\nabcd",
    "empty size": POST + b"Content-Length:\r\n\r\nabcd",
    "hexadecimal size": POST + b"Content-Length: 0x4\r\n\r\nabcd",
    "the same size twice in a line": POST + b"Content-Length: 4, 4\r\n\r\nabcd",
    "other encoding before": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "other encoding before, in its own line": POST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
    "other encoding behind": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no encoding, then chunked": POST + b"Transfer-Encoding: , chunked\r\n\r\n0\r\n\r\n",
    "empty encoding": POST + b"Transfer-Encoding:\r\n\r\n0\r\n\r\n",
    "vertical tab before chunked": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "folded header": HEALTH + b"X: a\r\n b\r\n\r\n",
    "folded size": POST + b"Content-Length:\r\n 4\r\n\r\nabcd",
    "space before the first header": b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    "bare LF behind a header": HEALTH + b"X: a\n\r\n",
    "bare LF behind the first line": b"GET / HTTP/1.1\nHost: x\r\n\r\n",
    "bare LF behind all lines": b"GET / HTTP/1.1\nHost: x\n\n",
    "bare CR behind a header": HEALTH + b"X: a\rY: b\r\n\r\n",
    "no colon": HEALTH + b"X\r\n\r\n",
    "no name": HEALTH + b": a\r\n\r\n",
    "two spaces behind the method": b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    "two spaces behind the path": b"GET /  HTTP/1.1\r\nHost: x\r\n\r\n",
    "space behind the version": b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
    "empty line first": b"\r\n" + HEALTH + b"\r\n",
    "space first": b" " + HEALTH + b"\r\n",
    "path without a slash": b"GET healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "address without a path": b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n",
    "address with an impossible port": b"GET http://x:99999/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "part of a page": b"GET /healthz#x HTTP/1.1\r\nHost: x\r\n\r\n",
    "path of other bytes": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
    "unknown method": b"FETCH / HTTP/1.1\r\nHost: x\r\n\r\n",
    "method in small letters": b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tunnel": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "version 0.9": b"GET / HTTP/0.9\r\nHost: x\r\n\r\n",
    "version 1.2": b"GET / HTTP/1.2\r\nHost: x\r\n\r\n",
    "version 2.0": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "HTTP/2's first bytes": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another protocol": b"GET / RTSP/1.0\r\nHost: x\r\n\r\n",
    "a radio station": b"SOURCE / ICE/1.0\r\nHost: x\r\n\r\n",
    "chunk size with a sign": CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n",
    "hexadecimal chunk size": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n",
    "chunk size beyond 64 bits": CHUNKED + b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    "space behind the chunk size": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
    "bare LF behind the chunk size": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "bare LF behind a chunk": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "bare LF in a chunk extension": CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n",
    "chunk longer than its size": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "nothing behind a chunk": CHUNKED + b"3\r\nabc0\r\n\r\n",
    "bare LF at the end": CHUNKED + b"0\r\n\n",
    "size behind a chunked body": CHUNKED + b"0\r\nContent-Length: 4\r\n\r\n",
}


@pytest.mark.parametrize("kind", sorted(AMBIGUOUS))
@pytest.mark.parametrize("length", [1, 7, 4 * KIB])
def test_what_another_server_might_read_otherwise_is_answered_400_and_closed(kind: str, length: int) -> None:
    request = AMBIGUOUS[kind] + NEXT
    answer, connection = answered(*split(request, range(0, len(request), length)))
    assert statuses(answer) == [400]
    assert b"application/problem+json" in answer
    assert connection.told.statuses == [400]
    assert statuses(answered(NEXT + request)[0]) == [200, 400]
    assert "/next" not in [scope["path"] for scope in connection.app.scopes]


@pytest.mark.parametrize(
    "start",
    [HEALTH + b"X: ", b"GET /", POST + b"Content-Length: 3\r\nX: "],
    ids=["header", "path", "header before a body"],
)
@pytest.mark.parametrize("length", [1, 1000, MIB])
@pytest.mark.parametrize("before", [b"", NEXT, POST + size(b"abc")], ids=["the first", "a further", "behind a body"])
def test_headers_may_have_as_many_bytes_as_the_setting_says_and_not_one_more(
    start: bytes, length: int, before: bytes
) -> None:
    def statuses_of(excess: int) -> list[int]:
        version = b" HTTP/1.1\r\nHost: x" if start == b"GET /" else b""
        filler = HEADER_BYTES - len(start) - len(version) - 4 + excess
        stream = before + start + b"y" * filler + version + b"\r\n\r\nabc"[: 7 if start.startswith(b"POST") else 4]
        return statuses(answered(*split(stream, range(0, len(stream), length)))[0])

    first = [200] if before else []
    assert statuses_of(0) == [*first, 200]
    assert statuses_of(1) == [*first, 400]


@pytest.mark.parametrize(
    "endless",
    [
        b"3;" + b"x" * MIB,
        b"0\r\n" + b"X: y\r\n" * 100_000,
        b"0\r\nX: " + b"y" * MIB,
        b"0" * MIB,
        b"3\r\nabc\r\n0;" * MIB,
    ],
    ids=["extension", "trailers", "trailer", "size", "extension behind a chunk"],
)
@pytest.mark.parametrize("length", [100, 256 * KIB])
def test_what_stands_beside_the_content_of_a_chunked_body_has_an_end(endless: bytes, length: int) -> None:
    request = CHUNKED + endless[:MIB]
    answer, connection = answered(*split(request, range(0, len(request), length)))
    assert statuses(answer) == [400]
    assert connection.client.closed


def test_a_chunked_body_of_single_bytes_is_read_whole() -> None:
    answer, _ = answered(CHUNKED + b"1\r\nx\r\n" * HEADER_BYTES + b"0\r\n\r\n" + NEXT)
    assert [len(body) for _, _, body in echoed(answer)] == [HEADER_BYTES, 0]


def test_what_comes_behind_a_body_is_no_header() -> None:
    _, connection = answered(CHUNKED + b"1\r\nx\r\n0\r\nX-API-Key: mine\r\n\r\n")
    assert [name for name, _ in connection.app.scopes[0]["headers"]] == [
        b"host",
        b"content-type",
        b"transfer-encoding",
    ]


def test_requests_that_come_at_once_are_worked_on_one_after_the_other_and_no_more_are_read() -> None:
    async def held() -> None:
        connection = Connection()
        await connection.send(b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n" + NEXT * 1000)
        assert (len(connection.app.scopes), connection.client.reading) == (1, False)
        connection.app.released.set()
        while len(echoed(bytes(connection.client.received))) < 1001:
            await asyncio.sleep(0.01)
        assert connection.app.most_working == 1
        assert connection.client.reading
        await connection.end()

    asyncio.run(asyncio.wait_for(held(), 60))


def test_of_requests_that_keep_coming_no_more_are_held_than_came_at_once() -> None:
    async def pouring() -> None:
        connection, poured = Connection(), 0
        for _ in range(20):
            assert len(connection.app.scopes) >= poured - 100
            await connection.send((POST + size(b"")) * 100)
            poured += 100
        await connection.end()

    asyncio.run(pouring())


def test_of_what_was_parsed_nothing_is_kept() -> None:
    _, connection = answered(POST + size(bytes(MIB)))
    assert len(connection.protocol._received) < 4


def test_an_application_that_works_on_a_request_that_turns_out_malformed_is_told_and_not_heard() -> None:
    async def malformed() -> None:
        connection = Connection()
        answer = await connection.send(CHUNKED + b"3\r\nabc\r\n", b"no size\r\n")
        assert statuses(answer) == [400]
        assert (connection.app.gone, connection.app.working) == (1, 0)
        await connection.end()

    asyncio.run(malformed())


def test_an_answer_that_has_begun_is_not_followed_by_a_refusal() -> None:
    async def begun() -> None:
        connection = Connection()
        head = b"POST /begun HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert statuses(await connection.send(head, b"no size\r\n")) == [200]
        assert connection.client.closed
        connection.app.released.set()
        await connection.end()

    asyncio.run(begun())


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c", b"TLS/1.0"])
def test_a_body_behind_a_wish_to_upgrade_is_a_body(protocol: bytes) -> None:
    wish = b"Connection: upgrade\r\nUpgrade: " + protocol + b"\r\n"
    answer, _ = answered(POST + wish + size(NEXT) + NEXT)
    assert echoed(answer) == [["POST", "/match", NEXT.decode()], ["GET", "/next", ""]]
    assert b"101 " not in answer


def test_headers_behind_a_wish_to_upgrade_are_bounded_as_others_are() -> None:
    answer, _ = answered(HEALTH + UPGRADE + b"\r\n" + HEALTH + b"X: " + b"y" * MIB)
    assert statuses(answer) == [200, 400]


@pytest.mark.parametrize(("version", "told"), [(b"1.1", [100, 200]), (b"1.0", [200])])
def test_a_body_is_asked_for_where_the_client_may_wait_to_be_asked(version: bytes, told: list[int]) -> None:
    head = b"POST / HTTP/" + version + b"\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    answer, _ = answered(head, b"abc")
    assert statuses(answer) == told
    assert echoed(answer[-20:]) == [["POST", "/", "abc"]]


@pytest.mark.parametrize("host", [b"", b"Host: x\r\n"])
def test_an_old_client_is_answered_and_the_connection_closed(host: bytes) -> None:
    answer, connection = answered(b"GET / HTTP/1.0\r\n" + host + b"Connection: keep-alive\r\n\r\n" + NEXT)
    assert echoed(answer) == [["GET", "/", ""]]
    assert b"connection: close\r\n" in answer
    assert connection.client.closed


def test_nothing_is_read_behind_a_request_that_is_the_last() -> None:
    answer, connection = answered(HEALTH + b"Connection: close\r\n\r\n" + NEXT, NEXT, b"\0")
    assert statuses(answer) == [200]
    assert len(connection.app.scopes) == 1


def test_the_answer_to_head_has_no_content() -> None:
    answer, _ = answered(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.endswith(b"content-length: 17\r\n\r\n")


@pytest.mark.parametrize("target", [b"http://x/a", b"http://x:80/a?b", b"/a?b?c"])
def test_a_whole_address_is_taken_for_its_path(target: bytes) -> None:
    answer, _ = answered(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert echoed(answer) == [["GET", "/a", ""]]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (HEALTH + b"Host: y\r\n\r\n", "expected one Host header, got 2"),
        (b"GET  / HTTP/1.1\r\n\r\n", "the first line is not METHOD /PATH HTTP/1.1"),
        (HEALTH + b"X : y\r\n\r\n", "Invalid header token"),
        (HEALTH + b"X: " + b"y" * MIB, f"more than {HEADER_BYTES} bytes of headers"),
    ],
)
def test_the_refusal_says_why(request_: bytes, reason: str) -> None:
    answer, _ = answered(request_)
    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert problem["type"].endswith("malformed-request")
    assert problem["detail"] == f"expected HTTP/1.1 within the limits of its size: {reason}"


def test_requests_that_wait_for_others_are_answered_however_short_an_idle_connection_is_kept() -> None:
    async def waiting() -> None:
        connection = Connection(Settings(keep_alive_seconds=0))
        answer = await connection.send(NEXT * 3)
        assert statuses(answer) == [200] * 3
        await asyncio.sleep(0.05)
        assert connection.client.closed
        await connection.end()

    asyncio.run(waiting())


def test_a_body_may_take_longer_than_headers() -> None:
    async def slow() -> None:
        connection = Connection(Settings(header_seconds=0.05))
        await connection.send(POST + b"Content-Length: 3\r\n\r\n")
        await asyncio.sleep(0.2)
        assert echoed(await connection.send(b"abc")) == [["POST", "/match", "abc"]]
        await connection.end()

    asyncio.run(slow())


EARLY = b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab"


def test_of_a_body_whose_answer_is_sent_the_rest_is_not_waited_for_long() -> None:
    async def missing() -> None:
        connection = Connection(Settings(header_seconds=0.05, keep_alive_seconds=60))
        assert statuses(await connection.send(EARLY)) == [200]
        await asyncio.sleep(0.2)
        assert connection.client.closed
        assert statuses(bytes(connection.client.received)) == [200]
        await connection.end()

    asyncio.run(missing())


def test_a_connection_whose_unread_body_came_to_its_end_is_as_good_as_any() -> None:
    async def whole() -> None:
        connection = Connection(Settings(header_seconds=0.05, keep_alive_seconds=60))
        assert statuses(await connection.send(EARLY)) == [200]
        await connection.send(b"c")
        await asyncio.sleep(0.2)
        large = POST + size(bytes(2 * MIB))
        answer = await connection.send(*split(large, range(0, len(large), 64 * KIB)))
        assert statuses(answer) == [200, 200]
        await connection.end()

    asyncio.run(whole())


def test_it_is_closed_as_any_when_it_idles() -> None:
    async def idle() -> None:
        connection = Connection()
        assert statuses(await connection.send(EARLY)) == [200]
        connection.protocol.timeout_keep_alive = 0
        await connection.send(b"c")
        await asyncio.sleep(0.05)
        assert connection.client.closed
        await connection.end()

    asyncio.run(idle())


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
def test_whatever_comes_the_answers_are_the_same_in_any_pieces_and_nothing_is_raised(
    seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    luck = random.Random(seed)
    for _ in range(20):
        stream = mutated(luck)
        whole, _ = answered(stream)
        pieces, connection = answered(*split(stream, [luck.randrange(len(stream)) for _ in range(luck.randrange(60))]))
        assert statuses(pieces) == statuses(whole)
        assert echoed(pieces) == echoed(whole)
        assert connection.app.most_working <= 1
    assert "Traceback" not in caplog.text
