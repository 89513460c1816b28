"""Clients of requests that come from proxies, trusted or not."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from pricematch.api.forwarded_clients import ForwardedClients


def client_named(peer: str, *forwarded: str, trusted: Sequence[str] = ("10.0.0.0/8", "::1")) -> tuple[str, str]:
    """Who is the client of a request with these X-Forwarded-For, and its scheme, which the proxy says is https."""
    seen: dict[str, Any] = {}

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        seen.update(scope)

    async def nothing(*_: object) -> Any:
        raise AssertionError("nothing is read or sent")

    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded] + [(b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "client": (peer, 1), "scheme": "http", "headers": headers}
    asyncio.run(ForwardedClients(app, trusted)(scope, nothing, nothing))
    return seen["client"][0], seen["scheme"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.1.1.1", ["1.2.3.4"], "1.2.3.4"),
        ("10.1.1.1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        ("10.1.1.1", ["6.6.6.6, 1.2.3.4, 10.2.2.2"], "1.2.3.4"),
        ("10.1.1.1", ["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
        ("10.1.1.1", ["1.2.3.4:80"], "1.2.3.4"),
        ("10.1.1.1", ["[2001:DB8::0:1]:80"], "2001:db8::1"),
        ("10.1.1.1", ["fe80::1%" + "z" * 60_000], "fe80::1"),
        ("::1", ["::ffff:1.2.3.4"], "1.2.3.4"),
        ("::ffff:10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("10.1.1.1", ["1.2.3.4, unknown"], "10.1.1.1"),
        ("10.1.1.1", ["x" * 60_000], "10.1.1.1"),
        ("10.1.1.1", ["1.2.3.4:" + "9" * 60_000], "10.1.1.1"),
        ("10.1.1.1", [""], "10.1.1.1"),
        ("10.1.1.1", [","], "10.1.1.1"),
    ],
)
def test_clients_are_addresses_that_trusted_proxies_name(peer: str, forwarded: list[str], client: str) -> None:
    """The last address that is no proxy's is the client; what is no address names nobody: fault F6."""
    assert client_named(peer, *forwarded) == (client, "https")


def test_nobody_else_names_a_client() -> None:
    """Of others X-Forwarded-For and X-Forwarded-Proto are ignored: fault F6."""
    assert client_named("9.9.9.9", "1.2.3.4") == ("9.9.9.9", "http")
    assert client_named("127.0.0.1", "1.2.3.4", trusted=()) == ("127.0.0.1", "http")
