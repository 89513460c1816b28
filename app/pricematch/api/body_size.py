"""Heads that are ambiguous or too long, and bodies that are too large."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pricematch.api.problems import answer, malformed, too_large

_TOO_LARGE = 413
_CLOSE = {"Connection": "close"}
_MAX_DIGITS = 20
"""Of a Content-Length."""
_SINGLE = frozenset({b"host", b"content-length", b"transfer-encoding", b"content-type", b"authorization", b"x-api-key"})
_SINGLE_CHUNKED = _SINGLE | {b"x-forwarded-for", b"x-forwarded-proto"}
"""Headers that come once; uvicorn's parser appends the trailers of a chunked body to them."""


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
