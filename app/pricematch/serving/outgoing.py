"""Requests to URLs that others name: guarded, so that they reach only what is public, and end in time."""

import asyncio
import logging
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from socket import SOCK_STREAM

import httpx2

from pricematch import __version__
from pricematch.errors import AddressRefused, OutgoingError

logging.getLogger("httpx2").setLevel(logging.WARNING)  # its lines have whole URLs, which may be secrets
_NOT_PUBLIC = [
    ip_network(text)
    for text in (
        *("192.88.99.0/24", "224.0.0.0/4", "240.0.0.0/4"),  # relays of 6to4, groups, reserved
        *("::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "fec0::/10", "ff00::/8"),  # lead to IPv4, sites, groups
    )
]
"""Networks that `ipaddress` calls global, in some version of Python, and through which one may come inside."""
_NAT64 = ip_network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}
_HEADERS = {"User-Agent": f"pricematch/{__version__}", "Accept-Encoding": "identity", "Connection": "close"}


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer.

    Attributes:
        ok: whether the request succeeded; a redirect has not.
        reason: the status and its name, for a person.
        media_type: as it is declared, without parameters; "" for none.
        content: the body.
    """

    ok: bool
    reason: str
    media_type: str
    content: bytes


class Outgoing:
    """Makes requests, each on a connection of its own to an address that was checked. Follows no redirect.

    Args:
        private: whether addresses that are not public may be reached as well.
        hosts: names of the only hosts that may be asked; None: all.
        seconds: that a request may take, from the look-up of the host to the last byte of the answer.
        max_bytes: of an answer's body; enforced while reading.
    """

    def __init__(self, *, private: bool, seconds: float, max_bytes: int, hosts: frozenset[str] | None = None) -> None:
        self._private, self._hosts, self._seconds, self._max_bytes = private, hosts, seconds, max_bytes

    async def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> Fetched:
        """What is at a URL.

        Raises:
            AddressRefused: it is not to be asked.
            OutgoingError: there is no answer, or one that is too slow, too large or compressed.
        """
        return await self._send("GET", url, b"", headers or {})

    async def post(self, url: str, content: bytes, headers: Mapping[str, str] | None = None) -> Fetched:
        """The answer to a post; raises as `fetch`."""
        return await self._send("POST", url, content, headers or {})

    async def _send(self, method: str, url: str, content: bytes, headers: Mapping[str, str]) -> Fetched:
        target = self._checked(url)
        try:
            async with asyncio.timeout(self._seconds):
                return await self._answer(method, target, content, headers)
        except TimeoutError as error:
            raise OutgoingError(f"{target.host} took longer than {self._seconds:g} s") from error
        except (httpx2.HTTPError, OSError) as error:  # OSError: also its name is not known
            raise OutgoingError(f"{target.host} cannot be asked ({error or type(error).__name__})") from error

    def _checked(self, url: str) -> httpx2.URL:
        """A URL that may be asked, if its addresses may; raises AddressRefused."""
        try:
            target = httpx2.URL(url)
        except (httpx2.InvalidURL, ValueError) as error:
            raise AddressRefused(f"expected a URL ({error})") from error
        if target.scheme not in _PORTS or not target.host or target.userinfo:
            raise AddressRefused("expected a URL that begins with http:// or https:// and a host, without a user")
        if self._hosts is not None and target.host not in self._hosts:
            raise AddressRefused(f"{target.host} is none of the hosts that may be asked")
        return target

    async def _answer(self, method: str, target: httpx2.URL, content: bytes, headers: Mapping[str, str]) -> Fetched:
        addresses = await self._addresses(target)
        async with httpx2.AsyncClient(verify=self._trust, trust_env=False, timeout=self._seconds) as client:
            for place, address in enumerate(addresses, start=1):
                request = client.build_request(
                    method,
                    target.copy_with(host=address),  # which was checked: a name might lead elsewhere by now
                    content=content or None,
                    headers={**_HEADERS, **headers, "Host": target.netloc.decode("ascii")},
                    extensions={"sni_hostname": target.raw_host.decode("ascii")},
                )
                try:
                    response = await client.send(request, stream=True)
                except httpx2.ConnectError:
                    if place == len(addresses):
                        raise
                else:
                    return await self._read(target.host, response)
        raise OutgoingError(f"{target.host} has no address")

    async def _addresses(self, target: httpx2.URL) -> Sequence[str]:
        """The addresses of a host; raises AddressRefused where any of them is not public and has to be."""
        port = target.port or _PORTS[target.scheme]
        name = target.raw_host.decode("ascii")
        found = await asyncio.get_running_loop().getaddrinfo(name, port, type=SOCK_STREAM)
        addresses = list(dict.fromkeys(str(place[0]) for *_, place in found))
        for address in addresses:
            if not self._private and not is_public(address):
                raise AddressRefused(f"{target.host} is at {address}, which is not public")
        return addresses

    async def _read(self, host: str, response: httpx2.Response) -> Fetched:
        try:
            if (coding := response.headers.get("content-encoding", "identity")) != "identity":
                raise OutgoingError(f"expected an answer of {host} as it is, got one in {coding[:40]!r}")
            content = bytearray()
            async for piece in response.aiter_raw():
                content += piece
                if len(content) > self._max_bytes:
                    raise OutgoingError(f"expected at most {self._max_bytes} bytes of {host}, got more")
        finally:
            await response.aclose()
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        reason = f"{response.status_code} {response.reason_phrase}".strip()
        return Fetched(response.is_success, reason, kind, bytes(content))

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        """The certificates that are trusted; reading them takes a while, so once."""
        return httpx2.create_ssl_context()


def is_public(address: str) -> bool:
    """Whether an address is one of the internet, and leads nowhere else.

    >>> [is_public(text) for text in ("9.9.9.9", "10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::")]
    [True, False, False, False, False]
    """
    found = ip_address(address)
    inner: IPv4Address | IPv6Address = found
    if isinstance(found, IPv6Address):
        if found.scope_id is not None:
            return False
        inner = found.ipv4_mapped or found
        if found in _NAT64:
            inner = IPv4Address(int(found) & 0xFFFFFFFF)
    return inner.is_global and not any(inner in network for network in _NOT_PUBLIC)
