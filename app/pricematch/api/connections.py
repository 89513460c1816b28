"""Limits of connections: how many are open, how many bytes bring no request, how long a head may take.

uvicorn parses and answers; what is here passes bytes on as they come, and closes connections.
"""

import asyncio
import logging
from typing import Any, ClassVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pricematch.settings import MIB, Settings

_UNREAD_BYTES = MIB
"""Bytes of an unread body that may come, so that its sender receives the response; uvicorn buffers less."""
_BODY = (b"content-length", b"transfer-encoding")
_log = logging.getLogger("pricematch")


def protocol(settings: Settings) -> type[asyncio.Protocol]:
    """The protocol that `uvicorn.Config` takes as `http`, with the limits of settings."""
    return type("Connection", (_Connection,), {"settings": settings})


class _Connection(HttpToolsProtocol):
    """One connection of uvicorn's, its bytes and seconds counted."""

    settings: ClassVar[Settings]
    late: asyncio.TimerHandle

    def __init__(self, app_state: dict[str, Any], **given: Any) -> None:
        super().__init__(app_state={**app_state, "connection": self}, **given)
        self.busy = False
        self.pending = 0  # bytes since the connection was idle, but for those of bodies that were read
        self.spare = 0  # of which so many may belong to an unread body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # TCP has no other
        super().connection_made(transport)
        self.await_head()
        if len(self.connections) > self.settings.max_connections:
            self.abort(f"more than {self.settings.max_connections} are open")

    def connection_lost(self, exc: Exception | None) -> None:
        self.late.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.pending > self.settings.max_header_bytes + self.spare:
            self.abort(f"{self.pending} bytes brought no request, nor a body that is read")
            return
        self.pending += len(data)
        if not self.busy and self.late.cancelled():
            self.await_head()
        super().data_received(data)

    def await_head(self) -> None:
        seconds = self.settings.header_seconds
        self.late = self.loop.call_later(seconds, self.abort, f"no request within {seconds:g} s")

    def rest(self) -> None:
        if not self.busy:
            self.pending = 0

    def abort(self, reason: str) -> None:
        client = self.transport.get_extra_info("peername") or ("",)
        _log.warning("closed a connection of %s: %s", client[0], reason)
        self.transport.abort()


class Watched:
    """ASGI application around another one that notes on each request's connection how far it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        connection: _Connection | None = scope.get("state", {}).get("connection")
        if connection is None:
            await self._app(scope, receive, send)
            return
        whole = not any(name in _BODY for name, _ in scope["headers"])

        async def received() -> Message:
            nonlocal whole
            message = await receive()
            whole = whole or not message.get("more_body")
            # as many bytes may frame those of the body
            connection.pending = max(0, connection.pending - 2 * len(message.get("body", b"")))
            return message

        connection.busy, connection.spare = True, _UNREAD_BYTES
        connection.late.cancel()
        try:
            await self._app(scope, received, send)
        finally:
            connection.busy, connection.spare = False, 0 if whole else connection.spare
            connection.loop.call_soon(connection.rest)  # the next request may have come already
