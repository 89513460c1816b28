"""Dependencies of endpoints: admission by keys, then the namespace's service, its addresses, and ids."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Query, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from pricematch.api.guard import Guard
from pricematch.api.keys import EVERY_NAMESPACE, Scope
from pricematch.api.links import Links
from pricematch.api.logs import current
from pricematch.api.placement import named_in
from pricematch.api.signatures import ImageSigner
from pricematch.catalogue.postings import MAX_IMAGES, POSTING_ID_RULE, as_posting_id, is_posting_id
from pricematch.errors import ClientGone, Forbidden
from pricematch.serving.namespaces import Namespaces
from pricematch.serving.service import Service
from pricematch.settings import DEFAULT_NAMESPACE

T = TypeVar("T")


def read_posting_id(value: str) -> str:
    """An id of a request, in NFC; raises PydanticCustomError for one that no posting can have."""
    if not is_posting_id(posting_id := as_posting_id(value)):
        raise PydanticCustomError("posting_id", "expected {rule}", {"rule": POSTING_ID_RULE})
    return posting_id


_Id = Annotated[str, AfterValidator(read_posting_id)]
PostingId = Annotated[_Id, Path(description=f"Id of a stored posting: {POSTING_ID_RULE}.")]
ImagePlace = Annotated[
    int, Query(ge=1, le=MAX_IMAGES, description="Which of the posting's images, from 1, as in `image_urls`.")
]
OtherId = Annotated[_Id, Path(description="Id of another posting.")]
_BEARER = HTTPBearer(auto_error=False, scheme_name="key", description="An API key, as `pricematch key` printed it.")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="keyHeader", description="The same, otherwise.")
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
_Header = Annotated[str | None, Security(_HEADER)]
_MAX_DIGITS = 16
_NAMESPACE = "pricematch.admitted"
"""Where the scope of a request has the name of the namespace that it was admitted to."""


@dataclass(frozen=True)
class State:
    """The application's state, which its lifespan yields.

    Attributes:
        namespaces: do the work.
        guard: checks keys and rates.
        links: makes the addresses of answers, of the default namespace.
        signer: tells whether a signed address of an image holds.
    """

    namespaces: Namespaces
    guard: Guard
    links: Links
    signer: ImageSigner


# asynchronous though they wait for nothing: FastAPI runs the others in threads, which takes longer than they do


async def _namespaces(request: Request) -> Namespaces:
    state: State = request.state.app
    return state.namespaces


async def _ready_service(request: Request) -> Service:
    """The service of the namespace that the request was admitted to, once it can answer.

    Raises NamespaceNotFound or NotReady before a body is read.
    """
    state: State = request.state.app
    service = state.namespaces.get(_admitted_to(request))
    current().namespace = service.namespace
    service.check_ready()
    return service


async def _links(request: Request) -> Links:
    state: State = request.state.app
    return state.links.within(_admitted_to(request))


def _admitted_to(request: Request) -> str:
    """The namespace of a request; whatever is of one is asked for behind admission alone."""
    namespace: str = request.scope[_NAMESPACE]
    return namespace


NamespacesDep = Annotated[Namespaces, Depends(_namespaces)]
ReadyService = Annotated[Service, Depends(_ready_service)]
LinksDep = Annotated[Links, Depends(_links)]


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


def _admit(scope: Scope, request: Request, bearer: _Bearer, header: _Header) -> str | None:
    """The name of the key, None where none is needed; raises Unauthenticated, Forbidden or RateExceeded."""
    state: State = request.state.app
    found = state.guard.admit(scope, _key(bearer, header), _address(request), named_in(request.scope))
    request.scope[_NAMESPACE], current().key = found.namespace, found.key
    return found.key


def _key(bearer: _Bearer, header: _Header) -> str | None:
    return header if bearer is None else bearer.credentials


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else ""


class _Needs:
    """Lets only requests through whose key covers a scope. The endpoint declares it: no decision rests on the URL."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request, bearer: _Bearer, header: _Header) -> str | None:
        """The name of the key, None where none is needed; raises Unauthenticated, Forbidden or RateExceeded."""
        return _admit(self.scope, request, bearer, header)


async def _scope_check(request: Request, bearer: _Bearer, header: _Header) -> Callable[[Scope], None]:
    state: State = request.state.app
    key = _key(bearer, header)
    return lambda scope: state.guard.check_scope(key, scope)


class _NeedsKeyOrSignature:
    """Lets requests for an image through whose key covers reading, or whose address is signed; whether it is.

    Its parameters are any text: a dependency of which one was invalid would not be called, but those behind it would.
    """

    async def __call__(
        self,
        request: Request,
        bearer: _Bearer,
        header: _Header,
        expires: Annotated[str, Query(description="As `image_url` has it.")] = "",
        signature: Annotated[str, Query(description="As `image_url` has it.")] = "",
    ) -> bool:
        """Raise Unauthenticated, Forbidden or RateExceeded."""
        state: State = request.state.app
        posting_id, asked = as_posting_id(request.path_params["posting_id"]), request.query_params
        version, place = asked.get("v", ""), _number(asked.get("place", "1"))
        namespace = named_in(request.scope) or DEFAULT_NAMESPACE
        if signature and state.signer.holds(posting_id, version, place, _number(expires), signature, namespace):
            state.guard.admit_signed(_address(request))
            request.scope[_NAMESPACE] = namespace
            return True
        _admit("read", request, bearer, header)
        return False


def _number(text: str) -> int:
    """A whole number; −1 for what is none."""
    return int(text) if text.isdecimal() and len(text) <= _MAX_DIGITS else -1


class _NeedsKeyForAll:
    """Lets only requests through that are about all namespaces, whose key covers a scope in all of them."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request, bearer: _Bearer, header: _Header) -> str | None:
        """The name of the key, None where none is needed; raises Unauthenticated, Forbidden or RateExceeded."""
        state: State = request.state.app
        found = state.guard.admit_to_all(self.scope, _key(bearer, header), _address(request))
        current().key = found.key
        return found.key


class _NeedsKeyOfService:
    """Lets requests through about the service as a whole: a key for all namespaces, or of the default one."""

    async def __call__(self, request: Request, bearer: _Bearer, header: _Header) -> str | None:
        """The only namespace that it may know of, None where it may of all.

        Raises Unauthenticated, Forbidden or RateExceeded.
        """
        state: State = request.state.app
        found = state.guard.admit("read", _key(bearer, header), _address(request))
        if found.bound_to not in (EVERY_NAMESPACE, DEFAULT_NAMESPACE):
            raise Forbidden("this takes a key for all namespaces, or of the default one, got one of another")
        current().key = found.key
        return None if found.is_for_all else found.namespace


class _MayKnowAll:
    """Tells whether an open request has a key for all namespaces, or none is needed; refuses nobody."""

    async def __call__(self, request: Request, bearer: _Bearer, header: _Header) -> bool:
        """Whether it may know of all namespaces."""
        state: State = request.state.app
        return state.guard.may_know_all(_key(bearer, header))


class _NeedsNothing:
    """Declares an endpoint open to all."""

    async def __call__(self) -> None:
        """Let the request through."""


READ: Any = Depends(_Needs("read"))
WRITE: Any = Depends(_Needs("write"))
ADMIN: Any = Depends(_Needs("admin"))
READ_IMAGE: Any = Depends(_NeedsKeyOrSignature())
ADMIN_OF_ALL: Any = Depends(_NeedsKeyForAll("admin"))
READ_SERVICE: Any = Depends(_NeedsKeyOfService())
Signed = Annotated[bool, READ_IMAGE]
OPEN: Any = Depends(_NeedsNothing())
ScopeCheck = Annotated[Callable[[Scope], None], Depends(_scope_check)]
"""Raises Forbidden where the request's key does not cover a scope, for what only the answer to it tells."""
KnowsAll = Annotated[bool, Depends(_MayKnowAll())]
"""Of an open endpoint: whether the request may know of all namespaces."""
Writer = Annotated[str | None, WRITE]
"""The name of the key of a request that changes something; None where none is needed."""
