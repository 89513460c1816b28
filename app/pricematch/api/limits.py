"""ASGI middleware that limits requests: heads, body sizes and deadlines, memory of bodies, load shedding."""

import asyncio
import time
from collections.abc import Collection, Mapping
from types import MappingProxyType

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pricematch.api.problems import RETRY_SOON, answer, malformed, problem_of, too_large
from pricematch.errors import Overloaded
from pricematch.serving.service import Service

_TOO_LARGE = 413
_CLOSE = {"Connection": "close"}
_MAX_DIGITS = 20
"""Of a Content-Length."""
_SINGLE = frozenset({b"host", b"content-length", b"transfer-encoding", b"content-type", b"authorization", b"x-api-key"})
_SINGLE_CHUNKED = _SINGLE | {b"x-forwarded-for", b"x-forwarded-proto"}
"""Headers that come once; uvicorn's parser appends the trailers of a chunked body to them."""
_TIMEOUT = 408
_BRINGS_A_BODY = ("POST", "PUT")


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
    """What is wrong with a request's head; None if nothing is."""
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
    """What is wrong with the headers that say where a body ends; None if nothing is."""
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


class BodyLimits:
    """ASGI middleware: a body has at most so many bytes, whether it announces its size or not.

    One whose Content-Length is over the limit is answered before a byte of it is read; whoever reads another gets an
    HTTPException where it goes over.

    Args:
        app: what is behind it.
        limit: bytes.
        others: limits of single paths that have their own.
    """

    def __init__(self, app: ASGIApp, limit: int, others: Mapping[str, int]) -> None:
        self._app, self._limit, self._others = app, limit, others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413, or pass the request on and count its body as it comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._others.get(scope["path"], self._limit)
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            await answer(too_large(limit), _CLOSE)(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise HTTPException(_TOO_LARGE, "Content Too Large")
            return message

        await self._app(scope, counted, send)


class BodyDeadline:
    """ASGI middleware: a body that takes too long in all, or between two pieces, is answered 408.

    Args:
        app: what reads the body.
        seconds: from the first read to the end of the body.
        idle_seconds: between two pieces.
        others: the same as `seconds`, by path.
    """

    def __init__(
        self, app: ASGIApp, seconds: float, idle_seconds: float, others: Mapping[str, float] = MappingProxyType({})
    ) -> None:
        self._app, self._seconds, self._idle_seconds, self._others = app, seconds, idle_seconds, others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; whoever reads its body gets an HTTPException if that takes too long."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seconds = self._others.get(scope["path"], self._seconds)
        whole = False
        ends: float | None = None

        async def received() -> Message:
            nonlocal whole, ends
            if whole:
                return await receive()  # waits for the client to go, which may take as long as the answer
            ends = ends or time.monotonic() + seconds
            message = await self._in_time(receive, ends, seconds)
            whole = not message.get("more_body", False)
            return message

        await self._app(scope, received, send)

    async def _in_time(self, receive: Receive, ends: float, seconds: float) -> Message:
        left = ends - time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, min(left, self._idle_seconds))):
                return await receive()
        except TimeoutError:
            limit = f"within {seconds:g} s" if left < self._idle_seconds else f"a piece every {self._idle_seconds:g} s"
            raise HTTPException(_TIMEOUT, f"expected the body {limit}", {"Connection": "close"}) from None


class HeldBodies:
    """ASGI middleware: while the bodies that are held have more bytes than the limit, no other one is read on.

    A body is held from its first byte until its request is answered. What it interrupts is answered 429; a request that
    is alone may be as large as any. Bodies for paths that are `streamed` go to the disk and are not held.
    """

    def __init__(self, app: ASGIApp, limit: int, streamed: Collection[str] = ()) -> None:
        self._app, self._limit, self._streamed = app, limit, streamed
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count its body as it comes."""
        if scope["type"] != "http" or scope["path"] in self._streamed:
            await self._app(scope, receive, send)
            return
        own = 0

        async def counted() -> Message:
            nonlocal own
            message = await receive()
            size = len(message.get("body", b""))
            if size and self._held > own and self._held + size > self._limit:
                raise Overloaded(f"{self._held} bytes of other requests are being read; try again soon")
            own += size
            self._held += size
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held -= own


class LoadShedding:
    """ASGI middleware: while the service has no room, what brings a body is answered 429 before a byte of it is read.

    What is merely read, above all health, is answered as ever; what has to be worked for asks the service itself.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 429, or pass the request on."""
        if scope["type"] == "http" and scope["method"] in _BRINGS_A_BODY:
            try:
                self._service.check_room()
            except Overloaded as error:
                await answer(problem_of(error), RETRY_SOON)(scope, receive, send)
                return
        await self._app(scope, receive, send)
