"""Telemetry around every request: its id, the headers of its response, its log line, metrics and span.

Log lines are JSON for machines and text for people, with the id of the request that they belong to.
"""

import json
import logging
import random
import re
import sys
import threading
import time
from collections.abc import Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pricematch.api.metrics import NO_ROUTE, Metrics
from pricematch.stages import Stage, measured

if TYPE_CHECKING:
    from pricematch.api.tracing import Spans

_GONE = 499
_USUAL = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""Headers of every response that does not set them itself."""
_POLICY = b"default-src 'none'; frame-ancestors 'none'"
_POLICY_OF_PAGES = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    b"frame-ancestors 'none'; base-uri 'none'"
)
"""The page at /docs begins with a script of its own; nothing of the catalogue is in it."""
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_numbers = random.Random()  # noqa: S311 — ids are unique, not secret, and uuid4 asks the kernel for each
LogFormat: TypeAlias = Literal["auto", "json", "text"]
FIELDS = "fields"
"""Attribute of a record that holds more fields of its line, by name."""
_log = logging.getLogger("pricematch")
_access_log = logging.getLogger("pricematch.access")


@dataclass(slots=True)
class RequestContext:
    """A request while it is answered, for its log line.

    Attributes:
        request_id: given by the client or made here.
        key: the name of its API key, never the key; None without one.
        problem: the last part of the type of the problem of its response; None for none.
    """

    request_id: str = ""
    key: str | None = None
    problem: str | None = None


_context: ContextVar[RequestContext | None] = ContextVar("request", default=None)


def begin(given_id: str | None) -> tuple[RequestContext, Token[RequestContext | None]]:
    """Begin a request; an id that the client gave is taken if nothing can be forged with it."""
    if given_id is None or not _SAFE_ID.fullmatch(given_id):
        given_id = f"{_numbers.getrandbits(128):032x}"
    context = RequestContext(given_id)
    return context, _context.set(context)


def end(token: Token[RequestContext | None]) -> None:
    """End the request that `begin` began."""
    _context.reset(token)


def current() -> RequestContext:
    """The request that is being answered; an empty one outside of requests."""
    return _context.get() or RequestContext()


class Telemetry:
    """ASGI application around another one, which sees every response, those to bugs included."""

    def __init__(self, app: ASGIApp, metrics: Metrics, spans: "Spans | None" = None, *, log: bool) -> None:
        self._app, self._metrics, self._spans, self._log = app, metrics, spans, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its response back, with the headers that every one has."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context, token = begin(Headers(scope=scope).get("x-request-id"))
        status = _GONE

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _complete(list(message.get("headers", ())), context.request_id)
            await send(message)

        started = time.perf_counter()
        try:
            with measured() as stages:
                await self._app(scope, receive, answered)
        finally:
            self._record(scope, context, stages, status, time.perf_counter() - started)
        end(token)  # not after a bug: the server is about to log it, and its line is to have the request's id

    def _record(
        self, scope: Scope, context: RequestContext, stages: Mapping[Stage, float], status: int, seconds: float
    ) -> None:
        method, route = scope["method"], getattr(scope.get("route"), "path", NO_ROUTE)
        self._metrics.observe_request(method, route, status, seconds)
        self._metrics.observe_stages(stages)
        if self._spans is not None:
            self._spans.record(
                method=method,
                route=route,
                status=status,
                seconds=seconds,
                stages=stages,
                request_id=context.request_id,
                headers=Headers(scope=scope),
            )
        if self._log:
            fields = {
                "method": method,
                "route": route,
                "status": status,
                "ms": round(seconds * 1e3, 3),
                "client": (scope.get("client") or ("",))[0],
                "key": context.key,
                "problem": context.problem,
                "stages_ms": {stage: round(spent * 1e3, 3) for stage, spent in stages.items()},
            }
            known = {name: value for name, value in fields.items() if value not in (None, {})}
            line = f"{method} {route} {status} {fields['ms']} ms {context.request_id}"
            _access_log.info("%s", line, extra={FIELDS: known})


def _complete(headers: list[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    """The headers of a response with those that every one has."""
    present = dict(headers)
    is_page = present.get(b"content-type", b"").startswith(b"text/html")
    usual = (*_USUAL, (b"content-security-policy", _POLICY_OF_PAGES if is_page else _POLICY))
    return [*headers, (b"x-request-id", request_id.encode("ascii")), *(it for it in usual if it[0] not in present)]


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, and what is known of the request."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; JSON escapes everything that could forge another one."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := current().request_id:
            line["request_id"] = request_id
        line |= getattr(record, FIELDS, {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class TextLines(logging.Formatter):
    """The message alone, on one line; control characters are shown, not obeyed."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, and a traceback below it where there is one, indented: what it quotes cannot pass for a line."""
        lines = [record.getMessage()]
        if record.exc_info:
            lines += [f"    {line}" for line in self.formatException(record.exc_info).split("\n")]
        return "\n".join(
            _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), line) for line in lines
        )


def install_logs(chosen: LogFormat) -> None:
    """Let all that is logged from now on take a format, on standard error; auto is text on a terminal.

    What Python would write there itself, of warnings and of threads that failed, is logged as well.
    """
    text = chosen == "text" or (chosen == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextLines() if text else JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    threading.excepthook = _log_failed_thread


def _log_failed_thread(failed: threading.ExceptHookArgs) -> None:
    name = failed.thread.name if failed.thread is not None else "a thread that is gone"
    _log.error("%s failed", name, exc_info=failed.exc_value or failed.exc_type())
