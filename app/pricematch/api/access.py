"""The scope that each endpoint needs, declared beside it, and the key that a request brings."""

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from pricematch.api.keys import Scope
from pricematch.api.log_requests import current
from pricematch.api.state import State

_BEARER = HTTPBearer(auto_error=False, scheme_name="key", description="An API key, as `pricematch key` printed it.")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="keyHeader", description="The same, otherwise.")
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
_Header = Annotated[str | None, Security(_HEADER)]


class Needs:
    """Lets only requests through whose key covers a scope. The endpoint declares it: no decision rests on the URL."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request, bearer: _Bearer, header: _Header) -> None:
        """Raise Unauthenticated, Forbidden or RateExceeded."""
        state: State = request.state.app
        key = header if bearer is None else bearer.credentials
        address = request.client.host if request.client is not None else ""
        current().key = state.guard.admit(self.scope, key, address)


class NeedsNothing:
    """Says that anybody may ask."""

    async def __call__(self) -> None:
        """Let the request through."""


READ: Any = Depends(Needs("read"))
WRITE: Any = Depends(Needs("write"))
ADMIN: Any = Depends(Needs("admin"))
OPEN: Any = Depends(NeedsNothing())
