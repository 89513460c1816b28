"""Telemetry around every request: its id, the headers of its response, its log line, metrics and span."""

import logging
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol, TypeAlias

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pricematch.api.logs import FIELDS, RequestContext, begin, end
from pricematch.api.metrics import NO_ROUTE, Metrics
from pricematch.stages import Stage, Stages, measured

_log = logging.getLogger("pricematch.access")
_GONE = 499
_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-store",
    }
)
"""Headers of every response that does not set them itself."""
_OF_PAGES: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    }
)
"""The page at /docs begins with a script of its own; nothing of the catalogue is in it."""
_Raw: TypeAlias = list[tuple[bytes, bytes]]


def _raw(headers: Mapping[str, str]) -> _Raw:
    return [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


_USUAL, _USUAL_OF_PAGES = _raw(_HEADERS), _raw({**_HEADERS, **_OF_PAGES})


class SpanSink(Protocol):
    """Takes requests as spans of a trace."""

    def record(
        self,
        *,
        method: str,
        route: str,
        status: int,
        seconds: float,
        stages: Mapping[Stage, float],
        request_id: str,
        headers: Mapping[str, str],
    ) -> None:
        """Record a request that was just answered."""
        ...


class Telemetry:
    """ASGI application around another one, which sees every response, those to bugs included.

    Args:
        app: the other one.
        metrics: count every request.
        spans: record every request; None for no spans.
        log: whether a line is logged for every request.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, spans: SpanSink | None = None, *, log: bool) -> None:
        self._app, self._metrics, self._spans, self._log = app, metrics, spans, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its response back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context, token = begin(Headers(scope=scope).get("x-request-id"))
        answered = _Response(send, context)
        started = time.perf_counter()
        try:
            with measured() as stages:
                await self._app(scope, receive, answered)
        finally:
            self._record(scope, context, stages, answered.status, time.perf_counter() - started)
        end(token)  # not after a bug: the server is about to log it, and its line is to have the request's id

    def _record(self, scope: Scope, context: RequestContext, stages: Stages, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", NO_ROUTE)
        self._metrics.observe_request(scope["method"], route, status, seconds)
        self._metrics.observe_stages(stages.seconds)
        if self._spans is not None:
            self._spans.record(
                method=scope["method"],
                route=route,
                status=status,
                seconds=seconds,
                stages=stages.seconds,
                request_id=context.request_id,
                headers=Headers(scope=scope),
            )
        if self._log:
            fields = {
                "method": scope["method"],
                "route": route,
                "status": status,
                "ms": round(seconds * 1e3, 3),
                "client": (scope.get("client") or ("",))[0],
                "key": context.key,
                "problem": context.problem,
                "stages_ms": {stage: round(spent * 1e3, 3) for stage, spent in stages.seconds.items()},
            }
            known = {name: value for name, value in fields.items() if value not in (None, {})}
            line = f"{scope['method']} {route} {status} {fields['ms']} ms {context.request_id}"
            _log.info("%s", line, extra={FIELDS: known})


class _Response:
    """Sends a response on, with the headers that every one has.

    Attributes:
        status: of the response; 499 while there is none.
    """

    def __init__(self, send: Send, context: RequestContext) -> None:
        self._send, self._context = send, context
        self.status = _GONE

    async def __call__(self, message: Message) -> None:
        """Send a message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = _complete(list(message.get("headers", ())), self._context.request_id)
        await self._send(message)


def _complete(headers: _Raw, request_id: str) -> _Raw:
    """The headers of a response with those that every one has."""
    present = dict(headers)
    usual = _USUAL_OF_PAGES if present.get(b"content-type", b"").startswith(b"text/html") else _USUAL
    return [*headers, (b"x-request-id", request_id.encode("ascii")), *(it for it in usual if it[0] not in present)]
