"""Connections that nobody can hold for nothing: few enough, headers in time, and answers that are taken."""

import asyncio
import json
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from app.api.problems import MEDIA_TYPE, Problem, connection_problem
from app.api.refusals import Refusals
from app.settings import KIB, MIB, Settings

_SPARE_BYTES = MIB
_TAKEN_BYTES = 64 * KIB


def protocol(settings: Settings, told: Refusals) -> type[H11Protocol]:
    """HTTP/1.1 as uvicorn speaks it, with the limits of settings."""

    class Limited(LimitedProtocol):
        header_seconds = settings.header_seconds
        answer_idle_seconds = settings.answer_idle_seconds
        max_connections = settings.max_connections
        refusals = told

    return Limited


class LimitedProtocol(H11Protocol):
    """One connection. What it refuses itself it answers with a problem, too, and closes.

    Attributes:
        header_seconds: from the connection, or the first byte of a further request, to the end of the headers.
        answer_idle_seconds: in which a client that lets its answer wait must take 64 KiB more of it, or the rest.
        max_connections: open ones, this one included.
        refusals: is told of each connection that is refused.
    """

    header_seconds: float
    answer_idle_seconds: float
    max_connections: int
    refusals: Refusals
    _late: asyncio.TimerHandle | None = None
    _spare: int | None = None
    """Bytes that may still come of a body whose request is answered already; None where there is none such."""
    _untaken: asyncio.TimerHandle | None = None
    _waiting: int = 0
    """Bytes of answers that waited for the client when it was last looked at."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # pause_writing then tells of every byte that the client lets wait
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
        """Take bytes in; the time for headers ends with them."""
        if self._spare is not None:
            self._spare -= len(data)
            if self._spare < 0:
                self.transport.close()
                return
        elif self.conn.their_state is h11.IDLE and self._late is None:
            self._wait_for_headers()
        super().data_received(data)
        if self._spare is None and self.conn.their_state is not h11.IDLE:
            self._wait_no_more()
        elif self._spare is not None and self.conn.their_state is not h11.SEND_BODY:
            self._spare = None
            self._wait_no_more()

    def pause_writing(self) -> None:
        """The client lets its answer wait."""
        super().pause_writing()
        self._wait_until_taken()

    def resume_writing(self) -> None:
        """It has taken all that there was."""
        self._taken()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Read what little may be left of a body that nobody wanted, so that its sender hears the answer."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            self._spare = _SPARE_BYTES
            self._wait_no_more()
            self._late = self.loop.call_later(self.header_seconds, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no HTTP."""
        self._refuse(connection_problem(400, f"expected HTTP/1.1 within the limits of its size: {msg}"))

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
        """Answer without the application, and close."""
        self._wait_no_more()
        if self.transport.is_closing():
            return
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
        self.transport.close()


def limits(settings: Settings, refusals: Refusals) -> dict[str, Any]:
    """What uvicorn takes of these limits; `refusals` is told of each connection that is refused."""
    return {
        "http": protocol(settings, refusals),
        "ws": "none",  # whatever is installed: behind an upgrade none of these limits would hold
        "h11_max_incomplete_event_size": settings.max_header_bytes,
        "timeout_keep_alive": settings.keep_alive_seconds,
    }
