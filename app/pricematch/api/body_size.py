"""How large a body may be: judged by the size it announces, and counted while it is read."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pricematch.api.problems import Problem, ambiguous_size, answer, too_large

_TOO_LARGE = 413
_MAX_DIGITS = 18


class BodyLimits:
    """ASGI middleware: a body has at most so many bytes, whether it announces its size or not.

    One whose Content-Length is over the limit is answered before a byte of it is read; whoever reads another gets an
    HTTPException where it goes over. A body that is chunked and has a Content-Length as well is refused: a proxy in
    front may have seen it end elsewhere (RFC 9112, section 6.3).

    Args:
        app: what is behind it.
        limit: bytes.
        others: limits of single paths that have their own.
    """

    def __init__(self, app: ASGIApp, limit: int, others: Mapping[str, int]) -> None:
        self._app, self._limit, self._others = app, limit, others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413 or 400, or pass the request on and count its body as it comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._others.get(scope["path"], self._limit)
        if (problem := _problem(Headers(scope=scope), limit)) is not None:
            await answer(problem, {"Connection": "close"})(scope, receive, send)
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


def _problem(headers: Headers, limit: int) -> Problem | None:
    """What is wrong with the size that a body announces."""
    size = headers.get("content-length", "")
    if size and "transfer-encoding" in headers:
        return ambiguous_size()
    # digits are counted first, since Python refuses to read thousands of them
    if size.isdecimal() and (len(size) > _MAX_DIGITS or int(size) > limit):
        return too_large(limit)
    return None
