"""Dependencies of endpoints."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Request

from pricematch.api.state import State
from pricematch.catalogue.postings import POSTING_ID_PATTERN
from pricematch.errors import ClientGone
from pricematch.serving.service import Service

T = TypeVar("T")


# asynchronous though they wait for nothing: FastAPI runs the others in threads, which takes longer than they do


async def _service(request: Request) -> Service:
    state: State = request.state.app
    return state.service


async def _ready_service(request: Request) -> Service:
    """The service once it can answer; raises NotReady before a body is read."""
    service = await _service(request)
    service.check_ready()
    return service


ServiceDep = Annotated[Service, Depends(_service)]
ReadyService = Annotated[Service, Depends(_ready_service)]
PostingId = Annotated[str, Path(pattern=POSTING_ID_PATTERN, description="Id of a stored posting.")]


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of work, which is cancelled when the client hangs up; the request's body was read, or there is none.

    Raises:
        ClientGone: it has.
    """
    working, leaving = asyncio.create_task(work), asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone("the client is gone")
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await leaving


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
