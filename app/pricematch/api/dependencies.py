"""The state of the application, and what endpoints depend on: the service, an id, the scope of a key."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from pricematch.api.guard import Guard
from pricematch.api.keys import Scope
from pricematch.api.logs import current
from pricematch.catalogue.postings import POSTING_ID_PATTERN
from pricematch.errors import ClientGone
from pricematch.serving.service import Service

T = TypeVar("T")
PostingId = Annotated[str, Path(pattern=POSTING_ID_PATTERN, description="Id of a stored posting.")]
_BEARER = HTTPBearer(auto_error=False, scheme_name="key", description="An API key, as `pricematch key` printed it.")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="keyHeader", description="The same, otherwise.")
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
_Header = Annotated[str | None, Security(_HEADER)]


@dataclass(frozen=True)
class State:
    """The application's state, which its lifespan yields.

    Attributes:
        service: does the work.
        guard: checks keys and rates.
    """

    service: Service
    guard: Guard


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


class _Needs:
    """Lets only requests through whose key covers a scope. The endpoint declares it: no decision rests on the URL."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request, bearer: _Bearer, header: _Header) -> None:
        """Raise Unauthenticated, Forbidden or RateExceeded."""
        state: State = request.state.app
        key = header if bearer is None else bearer.credentials
        address = request.client.host if request.client is not None else ""
        current().key = state.guard.admit(self.scope, key, address)


class _NeedsNothing:
    """Declares an endpoint open to everybody."""

    async def __call__(self) -> None:
        """Let the request through."""


READ: Any = Depends(_Needs("read"))
WRITE: Any = Depends(_Needs("write"))
ADMIN: Any = Depends(_Needs("admin"))
OPEN: Any = Depends(_NeedsNothing())
