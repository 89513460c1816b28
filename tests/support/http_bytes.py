"""Requests as bytes: whole ones, and such that no client library sends or another server may read differently."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message

from pricematch.settings import KIB, MIB

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /match HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"


def size(content: bytes) -> bytes:
    """The header of a body, and the body."""
    return b"Content-Length: %d\r\n\r\n" % len(content) + content


STREAM = b"".join(
    [
        HEALTH + b"\r\n",
        POST + size(b"one\r\n\r\n" + NEXT),
        CHUNKED + b"3\r\ntwo\r\n4;a=b\r\n\r\n\r\n\r\n0\r\nX: y\r\n\r\n",
        POST + size(b"\r\n\r\n" + NEXT),
        b"GET /early HTTP/1.1\r\nHost: x\r\n" + size(b"never read"),
        POST + size(b""),
        NEXT,
    ]
)
"""Several requests on one connection,"""
TOLD = [
    ["GET", "/healthz", ""],
    ["POST", "/match", "one\r\n\r\n" + NEXT.decode()],
    ["POST", "/match", "two\r\n\r\n"],
    ["POST", "/match", "\r\n\r\n" + NEXT.decode()],
    ["GET", "/early", ""],
    ["POST", "/match", ""],
    ["GET", "/next", ""],
]
"""and what they are to an application that does not read the body of /early."""

BROKEN = {
    "both sizes": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both sizes, other order": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two sizes": POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "negative size": POST + b"Content-Length: -1\r\n\r\n",
    "size with a sign": POST + b"Content-Length: +4\r\n\r\nabcd",
    "size that is no number": POST + b"Content-Length: four\r\n\r\n",
    "size of 5,000 digits": POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "no chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "negative chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    "endless chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 1000 + b"\r\n",
    "unknown transfer encoding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "1 MB header": HEALTH + b"X: " + b"a" * MIB + b"\r\n\r\n",
    "100,000 headers": HEALTH + b"X: a\r\n" * 100_000 + b"\r\n",
    "1 MB path": b"GET /" + b"a" * MIB + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "null byte in the path": b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
    "null byte in a header": HEALTH + b"X: a\0b\r\n\r\n",
    "space before the colon": HEALTH + b"Content-Length : 4\r\n\r\nabcd",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": HEALTH + b"Host: y\r\n\r\n",
    "no version": b"GET /healthz\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
    "garbage": bytes(range(256)) * 300,
}
AMBIGUOUS = {name: request for name, request in BROKEN.items() if len(request) < 2 * KIB and name != "TLS"} | {
    "size of many zeros": POST + b"Content-Length: " + b"0" * 30 + b"4\r\n\r\nabcd",
    "empty size": POST + b"Content-Length:\r\n\r\nabcd",
    "hexadecimal size": POST + b"Content-Length: 0x4\r\n\r\nabcd",
    "the same size twice in a line": POST + b"Content-Length: 4, 4\r\n\r\nabcd",
    "other encoding before": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "other encoding before, in its own line": POST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
    "other encoding behind": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked in version 1.0": CHUNKED.replace(b"/1.1", b"/1.0") + b"0\r\n\r\n",
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
    "space behind the version": b"GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
    "space first": b" " + HEALTH + b"\r\n",
    "path without a slash": b"GET healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    "address without a path": b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n",
    "address with an impossible port": b"GET http://x:99999/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "path of other bytes": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
    "unknown method": b"FETCH / HTTP/1.1\r\nHost: x\r\n\r\n",
    "method in small letters": b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a tunnel": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "version 0.9": b"GET / HTTP/0.9\r\nHost: x\r\n\r\n",
    "version 1.2": b"GET / HTTP/1.2\r\nHost: x\r\n\r\n",
    "version 2.0": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "HTTP/2's first bytes": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
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
"""Whoever answers one of these with success, or goes on to what comes behind it, may be made to execute what a server
in front of it never saw."""


BOUNDARY = "boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def part(headers: str, content: bytes = b"", boundary: str = BOUNDARY) -> bytes:
    """A part of a form, written by hand."""
    return b"--" + boundary.encode() + b"\r\n" + headers.encode() + b"\r\n\r\n" + content + b"\r\n"


def field(name: str, content: bytes) -> bytes:
    """A text field."""
    return part(f'Content-Disposition: form-data; name="{name}"', content)


def file(name: str, content: bytes, filename: str = "a.png") -> bytes:
    """A file part."""
    return part(f'Content-Disposition: form-data; name="{name}"; filename="{filename}"', content)


def form(parts: Iterable[bytes]) -> bytes:
    """A whole form."""
    return b"".join(parts) + b"--" + BOUNDARY.encode() + b"--\r\n"


@dataclass
class Answer:
    """What the application answered, and how many pieces of the body it took."""

    status: int
    problem: Any
    pieces_read: int


def send_pieces(
    app: ASGIApp,
    path: str,
    headers: dict[str, str],
    pieces: Sequence[bytes],
    *,
    aborts: bool = False,
    method: str = "POST",
) -> Answer:
    """Send a body piece by piece as a server hands it on; `aborts`: the client goes away instead of ending it."""
    return asyncio.run(_send_pieces(app, path, headers, pieces, aborts, method))


async def _send_pieces(
    app: ASGIApp, path: str, headers: dict[str, str], pieces: Sequence[bytes], aborts: bool, method: str
) -> Answer:
    read = 0
    sent: list[Message] = []
    answered = asyncio.Event()

    async def receive() -> Message:
        nonlocal read
        if read >= len(pieces):
            if not aborts:
                await answered.wait()
            return {"type": "http.disconnect"}
        read += 1
        more = aborts or read < len(pieces)
        return {"type": "http.request", "body": pieces[read - 1], "more_body": more}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            answered.set()

    async with _lifespan(app) as state:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in {"Host": "x", **headers}.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": dict(state),
        }
        await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return Answer(sent[0]["status"], json.loads(body) if body else None, read)


@asynccontextmanager
async def _lifespan(app: ASGIApp) -> AsyncIterator[dict[str, Any]]:
    """The state of an application that is started, and stopped in the end."""
    state = dict[str, Any]()
    asked, answered = asyncio.Queue[Message](), asyncio.Queue[Message]()
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}
    running = asyncio.ensure_future(app(scope, asked.get, answered.put))
    for step in ("startup", "shutdown"):
        await asked.put({"type": f"lifespan.{step}"})
        assert (await answered.get())["type"] == f"lifespan.{step}.complete"
        if step == "startup":
            yield state
    await running
