"""Log lines: JSON for machines and text for people, with the id of the request that they belong to."""

import json
import logging
import random
import re
import sys
import threading
from contextvars import ContextVar, Token
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_numbers = random.Random()  # noqa: S311 — ids are unique, not secret, and uuid4 asks the kernel for each
LogFormat: TypeAlias = Literal["auto", "json", "text"]
FIELDS = "fields"
"""Attribute of a record that holds more fields of its line, by name."""
_log = logging.getLogger("pricematch")


@dataclass(slots=True)
class RequestContext:
    """A request while it is answered, for its log line.

    Attributes:
        request_id: given by the client or made here.
        key: the name of its API key, never the key; None without one.
        problem: the last part of the type of the problem of its response; None for none.
        namespace: whose catalogue it is about; None where it is about none.
        waits: whether it waits for what may not come, so that the time it takes says nothing of the service.
    """

    request_id: str = ""
    key: str | None = None
    problem: str | None = None
    waits: bool = False
    namespace: str | None = None


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
