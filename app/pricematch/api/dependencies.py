"""Dependencies of endpoints: the service, an id, and admission by keys, their scopes and rates."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Path, Query, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from pricematch.api.keys import KeyRing, Scope
from pricematch.api.links import Links
from pricematch.api.logs import current
from pricematch.api.signatures import ImageSigner
from pricematch.catalogue.postings import MAX_IMAGES, POSTING_ID_RULE, as_posting_id, is_posting_id
from pricematch.errors import ClientGone, Forbidden, RateExceeded, Unauthenticated
from pricematch.serving.service import Service
from pricematch.settings import Settings

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
_MAX_CALLERS = 10_000
"""Beyond, the caller whose last request is oldest is forgotten, so that memory does not grow with callers."""
_MAX_KEY_CHARS = 256
_MAX_TEXT = 64
_ALL = "all addresses"
_ALL_TIMES = 50
"""All addresses together may present so many times as many wrong keys as one."""
_IPV6_HOST_BITS = 64
_KEPT_ADDRESSES = 256


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


class Rates:
    """A bucket of tokens for each caller, which holds `burst` and gets `per_second`. For one thread only."""

    def __init__(
        self,
        per_second: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
        max_callers: int = _MAX_CALLERS,
    ) -> None:
        self._per_second, self._burst = per_second, burst
        self._clock, self._max_callers = clock, max_callers
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, caller: Hashable) -> float:
        """Take a token of the caller's; returns 0, or the seconds until there is one, and then nothing was taken."""
        now = self._clock()
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = _Bucket(self._burst, now)
            if len(self._buckets) > self._max_callers:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(caller)
            bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled) * self._per_second)
            bucket.filled = now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._per_second
        bucket.tokens -= 1
        return 0.0


class Guard:
    """Admits requests, or raises why not. For one thread only.

    A key is limited by its name. Where none is needed, addresses are limited instead, but for this machine's own. Wrong
    and missing keys are limited apart, by address and in total, and a right key is let through whatever others from its
    address present: else they could lock it out.
    """

    def __init__(self, settings: Settings, keys: KeyRing, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys, self.check_scope = keys, keys.check_scope
        self._requests = Rates(settings.requests_per_second, settings.requests_at_once, clock)
        self._refused = Rates(settings.refusals_per_second, settings.refusals_at_once, clock)
        per_second, burst = settings.refusals_per_second * _ALL_TIMES, settings.refusals_at_once * _ALL_TIMES
        self._refused_in_all = Rates(per_second, burst, clock)

    def admit(self, scope: Scope, key: str | None, address: str) -> str | None:
        """The name of the request's key, if it may go on; None where no key is needed.

        Args:
            scope: what the endpoint needs.
            key: as the client sent it.
            address: the client's, as text.

        Raises:
            Unauthenticated: no key, or an unknown one.
            Forbidden: the key's scope does not cover it.
            RateExceeded: too often; also for wrong keys.
        """
        if not self._keys.required:
            self._check_rate(_network(address), "this address")
            return None
        known = self._keys.find(key) if key is not None and len(key) <= _MAX_KEY_CHARS else None
        if known is None:
            self._check_refusals(_network(address) or address)
            raise Unauthenticated(f"expected an API key, got {'none' if key is None else 'one that is not known'}")
        self._check_rate(known.name, "this key")
        if not known.covers(scope):
            raise Forbidden(f"this takes a key of scope {scope}, got one of scope {known.scope}")
        return known.name

    def admit_signed(self, address: str) -> None:
        """Let a request with a signed address go on; raises RateExceeded."""
        self._check_rate(_network(address), "this address")

    def _check_rate(self, caller: str | None, name: str) -> None:
        if caller is not None and (wait := self._requests.take(caller)):
            raise RateExceeded(f"more requests with {name} than may be", wait)

    def _check_refusals(self, network: str) -> None:
        wait = self._refused.take(network) or self._refused_in_all.take(_ALL)
        if wait:
            raise RateExceeded("more requests without a known key than may be", wait)


@lru_cache(_KEPT_ADDRESSES)
def _network(address: str) -> str | None:
    """The caller of an address: itself, or of IPv6 the network that one customer gets; None for this machine."""
    try:
        found = ip_address(address)
    except ValueError:
        return None  # a socket in the file system, which only this machine reaches
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped  # how a socket that listens on :: names clients of IPv4
    if found.is_loopback:
        return None
    if isinstance(found, IPv6Address):
        return str(IPv6Address(int(found) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS))
    return str(found)


@dataclass(frozen=True)
class State:
    """The application's state, which its lifespan yields.

    Attributes:
        service: does the work.
        guard: checks keys and rates.
        links: makes the addresses of answers.
        signer: tells whether a signed address of an image holds.
    """

    service: Service
    guard: Guard
    links: Links
    signer: ImageSigner


# asynchronous though they wait for nothing: FastAPI runs the others in threads, which takes longer than they do


async def _service(request: Request) -> Service:
    state: State = request.state.app
    return state.service


async def _ready_service(request: Request) -> Service:
    """The service once it can answer; raises NotReady before a body is read."""
    service = await _service(request)
    service.check_ready()
    return service


async def _links(request: Request) -> Links:
    state: State = request.state.app
    return state.links


ServiceDep = Annotated[Service, Depends(_service)]
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
    key = header if bearer is None else bearer.credentials
    name = current().key = state.guard.admit(scope, key, _address(request))
    return name


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
    key = header if bearer is None else bearer.credentials
    return lambda scope: state.guard.check_scope(key, scope)


class _NeedsKeyOrSignature:
    """Lets requests for an image through whose key covers reading, or whose address is signed; whether it is."""

    async def __call__(
        self,
        request: Request,
        bearer: _Bearer,
        header: _Header,
        version: Annotated[str, Query(alias="v", max_length=_MAX_TEXT)] = "",
        place: ImagePlace = 1,
        expires: Annotated[int, Query(ge=0, le=2**53, description="As `image_url` has it.")] = 0,
        signature: Annotated[str, Query(max_length=_MAX_TEXT, description="As `image_url` has it.")] = "",
    ) -> bool:
        """Raise Unauthenticated, Forbidden or RateExceeded."""
        state: State = request.state.app
        posting_id = as_posting_id(request.path_params["posting_id"])
        if signature and state.signer.holds(posting_id, version, place, expires, signature):
            state.guard.admit_signed(_address(request))
            return True
        _admit("read", request, bearer, header)
        return False


class _NeedsNothing:
    """Declares an endpoint open to all."""

    async def __call__(self) -> None:
        """Let the request through."""


READ: Any = Depends(_Needs("read"))
WRITE: Any = Depends(_Needs("write"))
ADMIN: Any = Depends(_Needs("admin"))
READ_IMAGE: Any = Depends(_NeedsKeyOrSignature())
Signed = Annotated[bool, READ_IMAGE]
OPEN: Any = Depends(_NeedsNothing())
ScopeCheck = Annotated[Callable[[Scope], None], Depends(_scope_check)]
"""Raises Forbidden where the request's key does not cover a scope, for what only the answer to it tells."""
Writer = Annotated[str | None, WRITE]
"""The name of the key of a request that changes something; None where none is needed."""
