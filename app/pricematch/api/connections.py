"""Connections that nobody can hold for nothing: few enough, headers in time, and answers that are taken."""

import asyncio
import json
import re
from collections.abc import Sequence
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pricematch.api.problems import MEDIA_TYPE, Problem, connection_problem
from pricematch.api.refusals import Refusals
from pricematch.settings import KIB, MIB, Settings

_SPARE_BYTES = MIB
_TAKEN_BYTES = 64 * KIB
_BLANK_LINE = b"\r\n\r\n"
"""Ends headers and chunked bodies; nothing else does."""
_REQUEST_LINE = re.compile(rb"[A-Z-]+ (?:/|\*|https?://[^/?#\s]+/)[!\"$-~]* HTTP/1\.[01]\r\n")
"""Without #, which the parser would drop, and what is behind it."""
_LENGTH_DIGITS = 20


class _Malformed(Exception):
    """A request that another server might read in another way."""


def protocol(settings: Settings, told: Refusals) -> type[HttpToolsProtocol]:
    """HTTP/1.1 as uvicorn speaks it, with the limits of settings."""

    class Limited(LimitedProtocol):
        header_seconds = settings.header_seconds
        answer_idle_seconds = settings.answer_idle_seconds
        max_connections = settings.max_connections
        max_header_bytes = settings.max_header_bytes
        refusals = told

    return Limited


class _Flow(FlowControl):
    """Reads no more while a whole request is held, whoever wants to hear whether the client is still there.

    Attributes:
        full: whether one is held.
    """

    full: bool = False

    def resume_reading(self) -> None:
        """Go on, unless it is full."""
        if not self.full:
            super().resume_reading()


class LimitedProtocol(HttpToolsProtocol):
    """One connection. What it refuses itself it answers with a problem, too, and closes.

    A request is parsed once the one before is answered: what comes sooner is held, in pieces that no request ends in.

    Attributes:
        header_seconds: from the connection, or the first byte of a further request, to the end of the headers.
        answer_idle_seconds: in which a client that lets its answer wait must take 64 KiB more of it, or the rest.
        max_connections: open ones, this one included.
        max_header_bytes: of a request's first line and headers; as many may stand between two pieces of a chunked body.
        refusals: is told of each connection that is refused.
    """

    header_seconds: float
    answer_idle_seconds: float
    max_connections: int
    max_header_bytes: int
    refusals: Refusals
    flow: _Flow
    _late: asyncio.TimerHandle | None = None
    _spare: int | None = None
    """Bytes that may still come of a body whose request is answered already; None where there is none such."""
    _untaken: asyncio.TimerHandle | None = None
    _waiting: int = 0
    """Bytes of answers that waited for the client when it was last looked at."""
    _received: bytes = b""
    """What is to be parsed, behind what was parsed last."""
    _parsed: int = 0
    """How much of that the parser has had."""
    _head: bytearray
    """What there is of a request whose headers are not complete."""
    _in_body: bool = False
    _left: int = 0
    """Bytes that are to come of a body whose length was announced."""
    _allowed: int = 0
    """Bytes that may come before headers are complete, or a chunked body goes on."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        self.flow = _Flow(transport)
        transport.set_write_buffer_limits(high=0)  # pause_writing then tells of every byte that the client lets wait
        self._head, self._allowed = bytearray(), self.max_header_bytes
        if len(self.connections) > self.max_connections:
            self._refuse(connection_problem(503, f"more than {self.max_connections} connections are open"))
        else:
            self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._wait_no_more()
        self._taken()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes in; the time for headers begins with the first and ends with the last of them."""
        if self._spare is not None:
            self._spare -= len(data)
            if self._spare < 0:
                self.transport.close()
                return
        self._received += data
        self._parse()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what comes behind a body is none."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer a request."""
        self._wait_no_more()
        _check(self._head, self.headers)
        self.expect_100_continue = self.expect_100_continue and self.parser.get_http_version() != "1.0"
        super().on_headers_complete()
        self._left = next((int(value) for name, value in self.headers if name == b"content-length"), 0)
        self._head.clear()
        self._in_body, self._allowed = True, self.max_header_bytes

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body in."""
        self._allowed = self.max_header_bytes
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Be ready for a further request."""
        if self.parser.should_upgrade():
            return  # its body is still to come: `_ignore_upgrade`
        super().on_message_complete()
        self.parser = httptools.HttpRequestParser(self)
        self._in_body, self._allowed = False, self.max_header_bytes
        if self._spare is not None:
            self._spare = None
            self._wait_no_more()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def pause_writing(self) -> None:
        """The client lets its answer wait."""
        super().pause_writing()
        self._wait_until_taken()

    def resume_writing(self) -> None:
        """It has taken all that there was."""
        self._taken()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Go on with what was held, or read what little may be left of a body, so that its sender hears the answer."""
        self.flow.full = False
        super().on_response_complete()
        if self._in_body and not self.transport.is_closing():
            self._spare = _SPARE_BYTES
            self._late = self.loop.call_later(self.header_seconds, self.transport.close)
        else:
            self._parse()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no HTTP."""
        self._refuse(connection_problem(400, f"expected HTTP/1.1 within the limits of its size: {msg}"))

    def _parse(self) -> None:
        """Parse what there is, as far as a request that is to be answered first."""
        while self._parsed < len(self._received) and not self.transport.is_closing():
            if not self._in_body and self.cycle is not None and not self.cycle.response_complete:
                self.flow.full = True
                self.flow.pause_reading()
                return
            self._unset_keepalive_if_required()
            end = self._end_of_piece()
            if end == self._parsed:
                self.send_400_response(f"more than {self.max_header_bytes} bytes of headers")
                return
            piece, self._parsed = self._received[self._parsed : end], end
            self._feed(piece)
        self._forget()
        if self._head and self._late is None and not self.transport.is_closing():
            self._wait_for_headers()

    def _forget(self) -> None:
        """Keep of what was parsed as much as a blank line may have begun in."""
        parsed = max(self._parsed - len(_BLANK_LINE) + 1, 0)
        self._received, self._parsed = self._received[parsed:], self._parsed - parsed

    def _end_of_piece(self) -> int:
        """How far the parser may go on: not beyond the end of the request, nor of what may come of its headers."""
        if self._left:
            return min(self._parsed + self._left, len(self._received))
        most = min(self._parsed + self._allowed, len(self._received))
        blank = self._received.find(_BLANK_LINE, max(self._parsed - len(_BLANK_LINE) + 1, 0), most)
        return most if blank < 0 else blank + len(_BLANK_LINE)

    def _feed(self, piece: bytes) -> None:
        if self._left:
            self._left -= len(piece)
        else:
            self._allowed -= len(piece)
        if not self._in_body:
            self._head += piece
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._ignore_upgrade()
        except httptools.HttpParserError as error:
            reason = error.__context__ if isinstance(error.__context__, _Malformed) else error
            self.send_400_response(str(reason))

    def _ignore_upgrade(self) -> None:
        """Read on with a parser that has not seen the wish for another protocol, and so expects a body."""
        body = SimpleNamespace(on_body=self.on_body, on_message_complete=self.on_message_complete)
        self.parser = httptools.HttpRequestParser(body)
        framing = (b"content-length", b"transfer-encoding")
        lines = [name + b": " + value + b"\r\n" for name, value in self.headers if name in framing]
        self.parser.feed_data(b"POST / HTTP/1.1\r\n" + b"".join(lines) + b"\r\n")

    def _wait_until_taken(self) -> None:
        self._waiting = self.transport.get_write_buffer_size()
        self._untaken = self.loop.call_later(self.answer_idle_seconds, self._on_untaken)

    def _on_untaken(self) -> None:
        if self._waiting - self.transport.get_write_buffer_size() < _TAKEN_BYTES:
            self.transport.abort()  # to close would wait for what nobody takes
        else:
            self._wait_until_taken()

    def _taken(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None

    def _wait_for_headers(self) -> None:
        self._late = self.loop.call_later(self.header_seconds, self._on_late)

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _on_late(self) -> None:
        self._refuse(connection_problem(408, f"expected the headers within {self.header_seconds:g} s"))

    def _refuse(self, problem: Problem) -> None:
        """Answer without the application, unless it has begun to, and close."""
        self._wait_no_more()
        if self.transport.is_closing():
            return
        if not (self._in_body and self.cycle.response_started):
            self._answer(problem)
        if self.cycle is not None:
            self.cycle.disconnected = True  # what it still says would come behind the refusal
            self.cycle.message_event.set()
        self.transport.close()

    def _answer(self, problem: Problem) -> None:
        content = json.dumps(problem.model_dump()).encode()
        headers = {
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(content)),
            "Connection": "close",
            **self.refusals.tell(problem, self.client[0] if self.client else ""),
        }
        status = f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}"
        head = "\r\n".join([status, *(f"{name}: {value}" for name, value in headers.items()), "", ""])
        self.transport.write(head.encode("ascii") + content)


def _check(head: bytearray, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Refuse what the parser lets through although others may understand it otherwise.

    Raises:
        _Malformed: says what was expected.
    """
    line = _REQUEST_LINE.match(head)
    if line is None:
        raise _Malformed("the first line is not METHOD /PATH HTTP/1.1")
    hosts = sum(name == b"host" for name, _ in headers)
    if hosts > 1 or (hosts == 0 and line[0].endswith(b"1.1\r\n")):
        raise _Malformed(f"expected one Host header, got {hosts}")
    for name, value in headers:
        if name == b"transfer-encoding" and value.lower() != b"chunked":
            raise _Malformed("expected no Transfer-Encoding but chunked")
        if name == b"content-length" and len(value) > _LENGTH_DIGITS:
            raise _Malformed(f"a Content-Length of more than {_LENGTH_DIGITS} digits")


def limits(settings: Settings, refusals: Refusals) -> dict[str, Any]:
    """What uvicorn takes of these limits; `refusals` is told of each connection that is refused."""
    return {
        "http": protocol(settings, refusals),
        "ws": "none",  # whatever is installed: behind an upgrade none of these limits would hold
        "timeout_keep_alive": settings.keep_alive_seconds,
    }
