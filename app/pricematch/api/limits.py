"""ASGI middleware that limits requests: their heads; sizes, deadlines and memory of bodies; load shedding."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pricematch.api.problems import RETRY_SOON, answer, malformed, problem_of
from pricematch.errors import Overloaded
from pricematch.serving.service import Service
from pricematch.settings import KIB, Settings

_TOO_LARGE = 413
_CLOSE = {"Connection": "close"}
_MAX_DIGITS = 20
"""Of a Content-Length."""
_SINGLE = frozenset({b"host", b"content-length", b"transfer-encoding", b"content-type", b"authorization", b"x-api-key"})
_SINGLE_CHUNKED = _SINGLE | {b"x-forwarded-for", b"x-forwarded-proto"}
"""Headers that come once; uvicorn's parser appends the trailers of a chunked body to them."""
_TIMEOUT = 408
_BRINGS_A_BODY = ("POST", "PUT")
_BODY_LIMIT = "pricematch.body_limit"
"""Where the scope of a request has its `BodyLimit`."""
_SMALL_BYTES = 64 * KIB
"""Of a body whose route allows no more, or that no route was found for."""
_PIECE_BYTES = 64 * KIB
"""Of an answer are sent at a time; smaller ones are not counted, since the system takes as much for each."""


class HeadCheck:
    """ASGI middleware: a request that another server might read differently, or with a long head, is answered 400.

    Then the connection is closed, so that nothing that came behind it is executed (RFC 9112, section 11.2). So it is
    behind a request to upgrade: it is answered like any other, but uvicorn's parser drops bytes that follow it.

    Args:
        app: what is behind it.
        limit: bytes of the names and values of headers, and of the target.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 400, or pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if (fault := _fault(scope, self._limit)) is not None:
            await answer(malformed(fault), _CLOSE)(scope, receive, send)
            return

        async def last(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        upgrade = any(name == b"upgrade" for name, _ in scope["headers"])
        await self._app(scope, receive, last if upgrade else send)


def _fault(scope: Scope, limit: int) -> str | None:
    """The fault of a request's head; None if there is none."""
    seen: dict[bytes, bytes] = {}
    size = len(scope["raw_path"]) + len(scope["query_string"])
    single = _SINGLE_CHUNKED if any(name == b"transfer-encoding" for name, _ in scope["headers"]) else _SINGLE
    for name, value in scope["headers"]:
        if name in seen and name in single:
            return f"expected one {name.decode('latin-1')}, got more"
        seen[name] = value
        size += len(name) + len(value)
    if size > limit:
        return f"expected at most {limit} bytes of headers, got {size}"
    version = scope["http_version"]
    if version not in ("1.0", "1.1") or (b"host" not in seen and version == "1.1"):
        return "expected HTTP/1.1 with a Host, or HTTP/1.0"
    return _framing_fault(seen, version)


def _framing_fault(headers: Mapping[bytes, bytes], version: str) -> str | None:
    """The fault of the headers that frame a body; None if there is none."""
    length, coding = headers.get(b"content-length"), headers.get(b"transfer-encoding")
    if length is not None and coding is not None:
        return "expected either Content-Length or Transfer-Encoding, got both"
    if coding is not None and (coding.lower() != b"chunked" or version == "1.0"):
        return "expected no Transfer-Encoding but chunked, in HTTP/1.1"
    if length is not None and not (length.isdigit() and len(length) <= _MAX_DIGITS):
        return f"expected a Content-Length of at most {_MAX_DIGITS} digits"
    if b"upgrade" in headers and (coding is not None or length not in (None, b"0")):
        return "expected no body with Upgrade, which is not supported"
    return None


@dataclass(slots=True)
class BodyLimit:
    """How much the body of a request may take. Who reads it decides before: see `allow_large` and `allow_import`.

    Attributes:
        max_bytes: of the body.
        seconds: from the first read to the end.
        in_memory: whether it is kept there, or goes to the disk as it comes.
    """

    max_bytes: int
    seconds: float
    in_memory: bool = True


def allow_large(scope: Scope, settings: Settings) -> None:
    """Let the body of a request have `max_body_bytes`, before it is read; others are small."""
    limit: BodyLimit = scope[_BODY_LIMIT]
    limit.max_bytes = settings.max_body_bytes


def allow_import(scope: Scope, settings: Settings) -> None:
    """Let the body of a request have `max_import_bytes`, before it is written to the disk as it comes."""
    limit: BodyLimit = scope[_BODY_LIMIT]
    limit.max_bytes, limit.seconds, limit.in_memory = settings.max_import_bytes, settings.import_seconds, False


class MemoryLimits:
    """ASGI middleware: limits the bytes of each body, how long it takes, and the memory of all bodies and answers.

    While the service has no room, a request with a body is answered 429 before a byte of it is read; others go on.

    Reading a body raises HTTPException before its first byte if it announces more than its `BodyLimit` allows, else
    where it goes over that, or where it or a piece of it takes too long. Where nobody allows more it may be small.

    A body is held from its first byte until its request is answered, an answer of more than 64 KiB until its client has
    taken it. While those that are held have more bytes than they may, no other body is read on and no other such answer
    sent, and 429 is answered; a request that is alone may hold as much as it needs.

    Args:
        app: what is behind it.
        service: its settings have the limits.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 429, or pass the request on, count its body as it comes and send its answer in pieces."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] in _BRINGS_A_BODY:
            try:
                self._service.check_room()
            except Overloaded as error:
                await answer(problem_of(error), RETRY_SOON)(scope, receive, send)
                return
        own = _Own()
        try:
            await self._app(scope, self._receiver(scope, receive, own), self._sender(scope, receive, send, own))
        finally:
            self._held -= own.size

    def _receiver(self, scope: Scope, receive: Receive, own: "_Own") -> Receive:
        settings = self._service.settings
        limit = scope[_BODY_LIMIT] = BodyLimit(min(_SMALL_BYTES, settings.max_body_bytes), settings.body_seconds)
        body = _Body(receive, limit, settings.body_idle_seconds, Headers(scope=scope).get("content-length", ""))

        async def received() -> Message:
            message = await body.next()
            if limit.in_memory and (size := len(message.get("body", b""))):
                self._check(size, own)
                self._held += size
                own.size += size
            return message

        return received

    def _sender(self, scope: Scope, receive: Receive, send: Send, own: "_Own") -> Send:
        begun: Message | None = None

        async def sent(message: Message) -> None:
            nonlocal begun, send
            if message["type"] == "http.response.start":
                begun = message
                return
            if begun is not None:
                start, begun = begun, None
                try:
                    self._check(len(message.get("body", b"")) - _PIECE_BYTES, own)
                    await send(start)
                except Overloaded as error:
                    await answer(problem_of(error), RETRY_SOON)(scope, receive, send)
                    send = _nowhere
            await self._send(send, message)

        return sent

    def _check(self, size: int, own: "_Own") -> None:
        """Raise Overloaded if others hold so much that a request may not hold so many bytes more."""
        if size > 0 and self._held > own.size and self._held + size > self._service.settings.max_held_bytes:
            raise Overloaded(f"{self._held} bytes of other requests are held; try again soon")

    async def _send(self, send: Send, message: Message) -> None:
        """Send a piece of an answer after the other: the server waits until the client has taken the one before."""
        content = message.get("body", b"")
        starts = range(0, len(content), _PIECE_BYTES)
        if len(starts) <= 1:
            await send(message)
            return
        self._held += len(content)
        try:
            for start in starts[:-1]:
                piece = content[start : start + _PIECE_BYTES]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({**message, "body": content[starts[-1] :]})
        finally:
            self._held -= len(content)


async def _nowhere(_: Message) -> None:
    """Send nothing: an answer was refused."""


@dataclass(slots=True)
class _Own:
    """Bytes that are held for one request."""

    size: int = 0


class _Body:
    """Reads the body of a request; raises HTTPException where it has too many bytes, or takes too long."""

    def __init__(self, receive: Receive, limit: BodyLimit, idle_seconds: float, announced: str) -> None:
        self._receive, self._limit, self._idle_seconds, self._announced = receive, limit, idle_seconds, announced
        self._size, self._ends, self._whole = 0, 0.0, False

    async def next(self) -> Message:
        """The next message; once the body is whole it comes when the client goes, which may take as long as it does."""
        if self._whole:
            return await self._receive()
        if not self._ends:
            self._ends = time.monotonic() + self._limit.seconds
            self._check(int(self._announced) if self._announced.isdecimal() else 0, _CLOSE)
        message = await self._in_time()
        self._whole = not message.get("more_body", False)
        self._size += len(message.get("body", b""))
        self._check(self._size)
        return message

    def _check(self, size: int, headers: Mapping[str, str] | None = None) -> None:
        if size > (limit := self._limit.max_bytes):
            raise HTTPException(_TOO_LARGE, f"expected a body of at most {limit} bytes", headers)

    async def _in_time(self) -> Message:
        left = self._ends - time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, min(left, self._idle_seconds))):
                return await self._receive()
        except TimeoutError:
            whole = f"within {self._limit.seconds:g} s"
            limit = whole if left < self._idle_seconds else f"a piece every {self._idle_seconds:g} s"
            raise HTTPException(_TIMEOUT, f"expected the body {limit}", _CLOSE) from None
