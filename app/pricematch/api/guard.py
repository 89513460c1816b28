"""Admission of requests: keys, their namespaces, scopes and rates."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from pricematch.api.keys import EVERY_NAMESPACE, ApiKey, KeyRing, Scope
from pricematch.errors import Forbidden, RateExceeded, Unauthenticated
from pricematch.settings import DEFAULT_NAMESPACE, Settings

_MAX_CALLERS = 10_000
"""Beyond, the caller whose last request is oldest is forgotten, so that memory does not grow with callers."""
_MAX_KEY_CHARS = 256
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


@dataclass(frozen=True, slots=True)
class Admitted:
    """What a request may go on with.

    Attributes:
        key: the name of its key; None where none is needed.
        namespace: whose catalogue it is about, which need not exist.
        bound_to: the namespace that its key is bound to; `*` where it may be about any.
    """

    key: str | None
    namespace: str
    bound_to: str

    @property
    def is_for_all(self) -> bool:
        """Whether it may know of all namespaces."""
        return self.bound_to == EVERY_NAMESPACE


class Guard:
    """Admits requests, or raises why not. For one thread only.

    A key is limited by its name, and the namespace that it is bound to. Where none is needed, addresses are limited
    instead, but for this machine's own. Wrong and missing keys are limited apart, by address and in total, and a right
    key is let through whatever others from its address present: else they could lock it out.
    """

    def __init__(self, settings: Settings, keys: KeyRing, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys, self.check_scope = keys, keys.check_scope
        self._requests = Rates(settings.requests_per_second, settings.requests_at_once, clock)
        self._refused = Rates(settings.refusals_per_second, settings.refusals_at_once, clock)
        per_second, burst = settings.refusals_per_second * _ALL_TIMES, settings.refusals_at_once * _ALL_TIMES
        self._refused_in_all = Rates(per_second, burst, clock)

    def admit(self, scope: Scope, key: str | None, address: str, named: str | None = None) -> Admitted:
        """What a request may go on with.

        Args:
            scope: what the endpoint needs.
            key: as the client sent it.
            address: the client's, as text.
            named: the namespace that its path names, which need not exist; None where it names none.

        Raises:
            Unauthenticated: no key, or an unknown one.
            Forbidden: the key is of another namespace than the one that is named, or its scope does not cover it.
            RateExceeded: too often; also for wrong keys.
        """
        if not self._keys.required:
            self._check_rate(_network(address), "this address")
            return Admitted(None, named or DEFAULT_NAMESPACE, EVERY_NAMESPACE)
        known = None if key is None else self._known(key)
        if known is None:
            self._check_refusals(_network(address) or address)
            raise Unauthenticated(f"expected an API key, got {'none' if key is None else 'one that is not known'}")
        self._check_rate((known.namespace, known.name), "this key")
        if known.namespace == EVERY_NAMESPACE:
            namespace = named or DEFAULT_NAMESPACE
        elif named in (None, known.namespace):
            namespace = known.namespace
        else:  # whether it exists or not
            raise Forbidden("this takes a key of the namespace that the path names, got one of another")
        if not known.covers(scope):
            raise Forbidden(f"this takes a key of scope {scope}, got one of scope {known.scope}")
        return Admitted(known.name, namespace, known.namespace)

    def admit_to_all(self, scope: Scope, key: str | None, address: str) -> Admitted:
        """What a request may go on with that is about all namespaces; raises as `admit`, Forbidden for a bound key."""
        found = self.admit(scope, key, address)
        if not found.is_for_all:
            raise Forbidden(f"this takes a key for all namespaces ({scope}@{EVERY_NAMESPACE}), got one of a namespace")
        return found

    def may_know_all(self, key: str | None) -> bool:
        """Whether a request may know of all namespaces: with a key for all of them, or where none is needed."""
        known = None if key is None else self._known(key)
        return not self._keys.required or (known is not None and known.namespace == EVERY_NAMESPACE)

    def admit_signed(self, address: str) -> None:
        """Let a request with a signed address go on; raises RateExceeded."""
        self._check_rate(_network(address), "this address")

    def _known(self, key: str) -> ApiKey | None:
        return self._keys.find(key) if len(key) <= _MAX_KEY_CHARS else None

    def _check_rate(self, caller: Hashable | None, name: str) -> None:
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
