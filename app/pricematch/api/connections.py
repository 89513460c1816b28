"""Connections: how many may be open, what may come without a request, how long either side may take.

uvicorn parses and answers; what is here passes bytes on in small pieces, waits, and closes connections.
"""

import asyncio
import logging
from typing import ClassVar

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pricematch.api.problems import RETRY_SOON, answer, problem_of
from pricematch.errors import Overloaded
from pricematch.settings import KIB, MIB, Settings

_READ_BYTES = 64 * KIB
"""Of one connection are read before others have their turn; a head that is so much too long is answered yet."""
_PIECE_BYTES = 2 * KIB
"""Are parsed before it is seen whether a request waits for another: the smallest request has 18 bytes."""
_UNREAD_BYTES = MIB
"""Bytes of an unread body of unknown length that may come, so that its sender receives the response."""
_HEALTH = ("/healthz", "/readyz")
_HEALTH_CONNECTIONS = 16
"""Connections beyond those that may be open, on which health is answered and nothing else."""
_log = logging.getLogger("pricematch")


def protocol(settings: Settings) -> type[asyncio.Protocol]:
    """The protocol that `uvicorn.Config` takes as `http`, with the limits of settings."""
    given = {"settings": settings, "idle": {}, "buffer": bytearray(_READ_BYTES)}
    return type("Connection", (_Connection,), given)


class _Connection(HttpToolsProtocol, asyncio.BufferedProtocol):
    """One connection of uvicorn's, its bytes and seconds counted.

    Attributes:
        idle: the connections without a request that is worked on, those first that have been so for longest.
        unparsed: bytes that wait until no request waits for another.
        pending: bytes since the last request, but for those of bodies that are read, and as many that frame them.
        bare: bytes since the last request or piece of a body: a head, trailers, the extension of a chunk.
        body_bytes: bytes of a body in the piece that is parsed.
        body_left: bytes of a body of known length that are to come.
    """

    settings: ClassVar[Settings]
    idle: ClassVar[dict["_Connection", None]]
    buffer: ClassVar[bytearray]
    late: asyncio.TimerHandle
    untaken: asyncio.TimerHandle | None = None
    unparsed: bytes = b""
    pending = bare = body_bytes = body_left = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP has no other
        super().connection_made(transport)
        self.flow = _Flow(self)
        transport.set_write_buffer_limits(0)  # so that `pause_writing` means that the client has not taken all
        self.await_head()
        self.idle[self] = None
        if (beyond := len(self.connections) - self.settings.max_connections) <= 0:
            return
        reason = f"more than {self.settings.max_connections} are open"
        if (longest := next(iter(self.idle))) is not self:
            longest.abort(f"{reason}, and none has been idle for longer")
        elif beyond <= _HEALTH_CONNECTIONS:
            self.app = _health_only(self.app)
        else:
            self.abort(f"{reason}, and none is idle")

    def connection_lost(self, exc: Exception | None) -> None:
        self.late.cancel()
        self.idle.pop(self, None)
        if self.untaken is not None:
            self.untaken.cancel()
        super().connection_lost(exc)

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 — the same for all
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(memoryview(self.buffer)[:nbytes]))

    def data_received(self, data: bytes) -> None:
        if self in self.idle and self.late.cancelled():
            self.await_head()
        data = self.unparsed + data
        start, most = 0, self.settings.max_header_bytes + _READ_BYTES
        while start < len(data) and not self.pipeline and not self.transport.is_closing():
            if self.bare > most or self.pending > most + _UNREAD_BYTES:
                self.abort(f"{max(self.bare, self.pending)} bytes brought no request, nor a body that is read")
                return
            piece = data[start : start + max(_PIECE_BYTES, self.body_left)]
            start += len(piece)
            self.bare += len(piece)
            self.pending += len(piece)
            self.body_bytes = 0
            super().data_received(piece)
            if self.body_bytes:
                # behind its response the body of a known length may come to its end: who sends it reads the response
                # then, and a proxy that could not send it would answer 502; it has as long as a head has
                read = 0 if self.cycle.response_complete and self.body_left <= 0 else 2 * self.body_bytes
                self.bare, self.body_left = 0, self.body_left - self.body_bytes
                self.pending = max(0, self.pending - read)
        self.unparsed = data[start:]
        if self.unparsed:
            self.flow.pause_reading()

    def on_headers_complete(self) -> None:
        self.late.cancel()
        self.idle.pop(self, None)
        length = next((value for name, value in self.headers if name == b"content-length"), b"")
        self.body_left, self.body_bytes = int(length) if length.isdigit() else 0, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self.pending = self.bare = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if not self.pipeline:
            self.idle[self] = None
        unparsed, self.unparsed = self.unparsed, b""
        super().on_response_complete()
        if unparsed:
            self.data_received(unparsed)

    def await_head(self) -> None:
        seconds = self.settings.header_seconds
        self.late = self.loop.call_later(seconds, self.abort, f"no request within {seconds:g} s")

    def pause_writing(self) -> None:
        super().pause_writing()
        seconds = self.settings.answer_idle_seconds
        self.untaken = self.loop.call_later(seconds, self.abort, f"an answer was not taken within {seconds:g} s")

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.untaken is not None:
            self.untaken.cancel()

    def abort(self, reason: str) -> None:
        self.idle.pop(self, None)
        _log.warning("closed a connection of %s: %s", self.client[0] if self.client else "", reason)
        self.transport.abort()


class _Flow(FlowControl):
    """Reads no further while bytes wait that were read."""

    def __init__(self, connection: _Connection) -> None:
        super().__init__(connection.transport)
        self.connection = connection

    def resume_reading(self) -> None:
        if not self.connection.unparsed:
            super().resume_reading()


def _health_only(app: ASGIApp) -> ASGIApp:
    """An application that passes only requests for health on."""

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].endswith(_HEALTH):
            await app(scope, receive, send)
        else:
            busy = problem_of(Overloaded("as many connections are worked on as may be; try again soon"))
            await answer(busy, {**RETRY_SOON, "Connection": "close"})(scope, receive, send)

    return limited
