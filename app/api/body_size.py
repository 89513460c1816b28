"""How large a body may be: judged by the size it announces, and counted while it is read."""

from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.problems import Problem, ambiguous_size, answer, too_large

_MAX_DIGITS = 18


class AnnouncedSize:
    """ASGI middleware: a body whose Content-Length is over the limit is answered before a byte of it is read.

    Starlette's `RequestBodyLimitMiddleware`, inside this one, counts the others while they are read; its own answer to
    an announced size is plain text. A body that is chunked and has a Content-Length as well is refused: a proxy in
    front may have seen it end elsewhere (RFC 9112, section 6.3).
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413, or pass the request on."""
        problem = self._problem(Headers(scope=scope)) if scope["type"] == "http" else None
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await answer(problem, {"Connection": "close"})(scope, receive, send)

    def _problem(self, headers: Headers) -> Problem | None:
        size = headers.get("content-length", "")
        if size and "transfer-encoding" in headers:
            return ambiguous_size()
        # digits are counted first, since Python refuses to read thousands of them
        if size.isdecimal() and (len(size) > _MAX_DIGITS or int(size) > self._limit):
            return too_large(self._limit)
        return None


class BodyLimits:
    """ASGI middleware: a body has at most so many bytes, whether it announces its size or not.

    Args:
        app: what is behind it.
        limit: bytes.
        others: limits of single paths that have their own.
    """

    def __init__(self, app: ASGIApp, limit: int, others: Mapping[str, int]) -> None:
        self._usual = _limited(app, limit)
        self._others = {path: _limited(app, other) for path, other in others.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413, or pass the request on."""
        await self._others.get(scope.get("path", ""), self._usual)(scope, receive, send)


def _limited(app: ASGIApp, limit: int) -> ASGIApp:
    return AnnouncedSize(RequestBodyLimitMiddleware(app, max_body_size=limit), limit)
