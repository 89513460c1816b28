"""Limits of connections: how many are open, how many bytes bring no request, how long a head may take.

uvicorn parses and answers; what is here passes bytes on as they come, and closes connections.
"""

import asyncio
import logging
from typing import Any, ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pricematch.settings import MIB, Settings

_CONNECTION = "connection"
"""Where a request's `scope["state"]` names its connection."""
_UNREAD_BYTES = MIB
"""Of a body that nobody reads may come, so that its sender hears the answer; uvicorn buffers less."""
_BODY = (b"content-length", b"transfer-encoding")
_log = logging.getLogger("pricematch")


def protocol(settings: Settings) -> type[asyncio.Protocol]:
    """What `uvicorn.Config` takes as `http`: its own protocol, with the limits of settings."""
    return type("Connection", (_Connection,), {"settings": settings, "opened": set()})


class _Connection(asyncio.Protocol):
    """One connection: uvicorn's protocol, and what is counted beside it.

    Attributes:
        settings: limits.
        opened: all connections that are open.
    """

    settings: ClassVar[Settings]
    opened: ClassVar[set["_Connection"]]
    _transport: asyncio.Transport

    def __init__(self, app_state: dict[str, Any], **given: Any) -> None:
        self._http = HttpToolsProtocol(app_state={**app_state, _CONNECTION: self}, **given)
        self._loop = asyncio.get_running_loop()
        self._busy = False
        self._pending = 0  # bytes since the connection was idle, but for those of bodies that were read
        self._spare = 0  # of which so many may belong to a body that nobody has read
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP has no other
        self._transport = transport
        self._http.connection_made(transport)
        self.opened.add(self)
        if len(self.opened) > self.settings.max_connections:
            self._abort(f"more than {self.settings.max_connections} are open")
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self.opened.discard(self)
        self._stop_waiting()
        self._http.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._pending > self.settings.max_header_bytes + self._spare:
            self._abort(f"{self._pending} bytes brought no request, nor a body that is read")
            return
        self._pending += len(data)
        if not self._busy and self._late is None:
            self._await_head()
        self._http.data_received(data)

    def eof_received(self) -> None:
        self._http.eof_received()

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()

    def begin(self) -> None:
        """A request has begun."""
        self._busy, self._spare = True, _UNREAD_BYTES
        self._stop_waiting()

    def read(self, size: int) -> None:
        """So many bytes of its body were read; as many may frame them."""
        self._pending = max(0, self._pending - 2 * size)

    def end(self, *, whole: bool) -> None:
        """It was answered, its body read or not; the next one may have come already."""
        self._busy, self._spare = False, 0 if whole else self._spare
        self._loop.call_soon(self._rest)

    def _rest(self) -> None:
        if not self._busy:
            self._pending = 0

    def _await_head(self) -> None:
        seconds = self.settings.header_seconds
        self._late = self._loop.call_later(seconds, self._abort, f"no request within {seconds:g} s")

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _abort(self, reason: str) -> None:
        client = self._transport.get_extra_info("peername") or ("",)
        _log.warning("closed a connection of %s: %s", client[0], reason)
        self._transport.abort()


class Watched:
    """ASGI application around another one that tells each request's connection how far it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        connection: _Connection | None = scope.get("state", {}).get(_CONNECTION)
        if connection is None:
            await self._app(scope, receive, send)
            return

        whole = not any(name in _BODY for name, _ in scope["headers"])

        async def received() -> Message:
            nonlocal whole
            message = await receive()
            whole = whole or not message.get("more_body")
            connection.read(len(message.get("body", b"")))
            return message

        connection.begin()
        try:
            await self._app(scope, received, send)
        finally:
            connection.end(whole=whole)
