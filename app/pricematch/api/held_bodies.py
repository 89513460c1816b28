"""Bounds the memory that the bodies of requests take together."""

from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pricematch.errors import Overloaded


class HeldBodies:
    """ASGI middleware: while the bodies that are held have more bytes than the limit, no other one is read on.

    A body is held from its first byte until its request is answered. What it interrupts is answered 429; a request that
    is alone may be as large as any. Bodies for paths that are `streamed` go to the disk and are not held.
    """

    def __init__(self, app: ASGIApp, limit: int, streamed: Collection[str] = ()) -> None:
        self._app, self._limit, self._streamed = app, limit, streamed
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count its body as it comes."""
        if scope["type"] != "http" or scope["path"] in self._streamed:
            await self._app(scope, receive, send)
            return
        own = 0

        async def counted() -> Message:
            nonlocal own
            message = await receive()
            size = len(message.get("body", b""))
            if size and self._held > own and self._held + size > self._limit:
                raise Overloaded(f"{self._held} bytes of other requests are being read; try again soon")
            own += size
            self._held += size
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held -= own
