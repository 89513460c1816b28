"""Clients that trusted proxies name, in place of the proxies."""

import logging
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

_log = logging.getLogger("pricematch")


class ForwardedClients:
    """ASGI application around another one: the client of a request from a trusted proxy is whom that names.

    That is the last address in X-Forwarded-For which is not a trusted proxy's. What is no address is ignored: the
    client is then who connected, as it is for everybody else.

    Args:
        app: what is behind it.
        proxies: addresses and networks.
    """

    def __init__(self, app: ASGIApp, proxies: Sequence[str]) -> None:
        self._app, self._warned = app, False
        self._name_client: Any = ProxyHeadersMiddleware(_nothing, list(proxies))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and any(name == b"x-forwarded-for" for name, _ in scope["headers"]):
            host, port = scope["client"] or ("", 0)
            peer = _address(host) or host, port
            scope["client"] = peer
            await self._name_client(scope, receive, send)
            named = scope["client"]
            address = _address(named[0])
            scope["client"] = peer if address is None else (address, named[1])
            if named == peer and not self._warned:
                self._warned = True
                _log.warning("X-Forwarded-For of %s is ignored: trusted_proxies does not name it", peer[0])
        await self._app(scope, receive, send)


async def _nothing(*_: object) -> None:
    """Take a request whose client was named."""


def _address(text: str) -> str | None:
    """An address in its usual form, without a zone; None for other text."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address)))
    return str(address)
