"""ASGI middleware that limits requests: their heads; sizes, deadlines and memory of bodies; load shedding."""

import asyncio
import time
from collections.abc import Mapping

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


class BodyLimits:
    """ASGI middleware: limits the bytes of each body, how long it takes, and the memory that all take together.

    While the service has no room, a request with a body is answered 429 before a byte of it is read; others go on. A
    body whose Content-Length is over the limit is answered 413 unread. Reading any other raises HTTPException where it
    goes over the limit, or where it or a piece of it takes too long.

    A body is held from its first byte until its request is answered. While those that are held have more bytes than
    they may, no other one is read on, and answered 429; a request that is alone may be as large as any.

    Args:
        app: what is behind it.
        service: its settings have the limits.
        imports: path of requests whose bodies go to the disk: they have limits of their own, and are not held.
    """

    def __init__(self, app: ASGIApp, service: Service, imports: str) -> None:
        self._app, self._service, self._imports = app, service, imports
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413 or 429, or pass the request on and count its body as it comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        settings, streamed = self._service.settings, scope["path"] == self._imports
        limit = settings.max_import_bytes if streamed else settings.max_body_bytes
        seconds = settings.import_seconds if streamed else settings.body_seconds
        if (refusal := self._refusal(scope, limit)) is not None:
            await refusal(scope, receive, send)
            return
        size, ends, whole = 0, 0.0, False

        async def received() -> Message:
            nonlocal size, ends, whole
            if whole:
                return await receive()  # waits for the client to go, which may take as long as the answer
            ends = ends or time.monotonic() + seconds
            message = await self._in_time(receive, ends, seconds)
            whole = not message.get("more_body", False)
            more = len(message.get("body", b""))
            if size + more > limit:
                raise HTTPException(_TOO_LARGE, "Content Too Large")
            if not streamed:
                if more and self._held > size and self._held + more > settings.max_held_bytes:
                    raise Overloaded(f"{self._held} bytes of other requests are being read; try again soon")
                self._held += more
            size += more
            return message

        try:
            await self._app(scope, received, send)
        finally:
            self._held -= 0 if streamed else size

    def _refusal(self, scope: Scope, limit: int) -> ASGIApp | None:
        """The response to a request whose body is not to be read; None for others."""
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            return answer(too_large(limit), _CLOSE)
        if scope["method"] in _BRINGS_A_BODY:
            try:
                self._service.check_room()
            except Overloaded as error:
                return answer(problem_of(error), RETRY_SOON)
        return None

    async def _in_time(self, receive: Receive, ends: float, seconds: float) -> Message:
        left, idle_seconds = ends - time.monotonic(), self._service.settings.body_idle_seconds
        try:
            async with asyncio.timeout(max(0.0, min(left, idle_seconds))):
                return await receive()
        except TimeoutError:
            limit = f"within {seconds:g} s" if left < idle_seconds else f"a piece every {idle_seconds:g} s"
            raise HTTPException(_TIMEOUT, f"expected the body {limit}", _CLOSE) from None
