"""Ends requests whose body does not come."""

import asyncio
import time
from collections.abc import Mapping
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TIMEOUT = 408


class BodyDeadline:
    """ASGI middleware: a body that takes too long in all, or between two pieces, is answered 408.

    Args:
        app: what reads the body.
        seconds: from the first read to the end of the body.
        idle_seconds: between two pieces.
        others: the same as `seconds`, by path.
    """

    def __init__(
        self, app: ASGIApp, seconds: float, idle_seconds: float, others: Mapping[str, float] = MappingProxyType({})
    ) -> None:
        self._app, self._seconds, self._idle_seconds, self._others = app, seconds, idle_seconds, others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; whoever reads its body gets an HTTPException if that takes too long."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seconds = self._others.get(scope["path"], self._seconds)
        whole = False
        ends: float | None = None

        async def received() -> Message:
            nonlocal whole, ends
            if whole:
                return await receive()  # waits for the client to go, which may take as long as the answer
            ends = ends or time.monotonic() + seconds
            message = await self._in_time(receive, ends, seconds)
            whole = not message.get("more_body", False)
            return message

        await self._app(scope, received, send)

    async def _in_time(self, receive: Receive, ends: float, seconds: float) -> Message:
        left = ends - time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, min(left, self._idle_seconds))):
                return await receive()
        except TimeoutError:
            limit = f"within {seconds:g} s" if left < self._idle_seconds else f"a piece every {self._idle_seconds:g} s"
            raise HTTPException(_TIMEOUT, f"expected the body {limit}", {"Connection": "close"}) from None
