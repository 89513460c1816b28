"""Requests to hosts that others name: guarded, in time, and no larger than they may be."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, suppress
from ipaddress import IPv4Address
from typing import Any

import httpx2
import pytest

from pricematch.errors import AddressRefused, OutgoingError
from pricematch.serving.outgoing import Fetched, Outgoing, is_public
from tests.support.receivers import Received, Receiver, receiver


@pytest.fixture
def other() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def outgoing(**given: Any) -> Outgoing:
    return Outgoing(**{"private": True, "seconds": 30.0, "max_bytes": 100, **given})


def fetched(url: str, **given: Any) -> Fetched:
    return asyncio.run(outgoing(**given).fetch(url))


def names(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name be at some addresses; the names that are looked up."""
    looked_up = list[str]()

    async def found(_: object, host: str, port: int, **__: Any) -> list[Any]:
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", found)
    return looked_up


def test_an_answer_comes_as_it_is(other: Receiver) -> None:
    """With its type and whether it is a success; the request names itself and asks for no compression."""
    other.answer = lambda _: (200, {"Content-Type": "Image/PNG; x=y"}, b"abc")
    assert fetched(other.url) == Fetched(True, "200 OK", "image/png", b"abc")
    [request] = other.received
    assert (request.method, request.path) == ("GET", "/hook?a=b")
    assert request.headers["host"] == f"127.0.0.1:{other.port}"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["user-agent"].startswith("pricematch/")


def test_a_post_brings_its_body_and_headers(other: Receiver) -> None:
    other.answer = lambda _: (503, {}, b"later")
    answer = asyncio.run(outgoing().post(other.url, b"content", {"X-One": "1"}))
    assert (answer.ok, answer.reason, answer.content) == (False, "503 Service Unavailable", b"later")
    assert (other.received[0].body, other.received[0].headers["x-one"]) == (b"content", "1")


def test_no_redirect_is_followed(other: Receiver) -> None:
    other.answer = lambda _: (302, {"Location": "/elsewhere"}, b"")
    assert not fetched(other.url).ok
    assert [it.path for it in other.received] == ["/hook?a=b"]


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1"),
        *("224.0.0.1", "255.255.255.255", "192.88.99.1", "198.18.0.1", "192.0.2.1", str(IPv4Address(0))),
        *("::1", "::", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1"),
        *("fec0::1", "ff02::1", "2001:db8::1", "2002:a00:1::", "2002:909:909::", "2001:0:a00:1::"),
        *("64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::9.9.9.9", "100::1"),
    ],
)
def test_what_is_not_public_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Also where it is one of several addresses, and however it is wrapped."""
    assert not is_public(address)
    for addresses in ([address], ["9.9.9.9", address]):
        names(monkeypatch, *addresses)
        with pytest.raises(AddressRefused, match="which is not public"):
            fetched("http://shop.example/", private=False)


@pytest.mark.parametrize("address", ["9.9.9.9", "2606:4700::1111", "::ffff:9.9.9.9", "64:ff9b::909:909"])
def test_what_is_public_is_not_refused(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_no_spelling_of_this_machine_is_public(other: Receiver, host: str) -> None:
    with pytest.raises(OutgoingError):
        fetched(f"http://{host}:{other.port}/", private=False)
    assert other.received == []


def test_the_address_that_was_checked_is_the_one_that_is_asked(
    other: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is looked up once, and stands in the request; where one address does not listen another is tried."""
    looked_up = names(monkeypatch, "127.0.0.2", "127.0.0.1")
    with closing(socket.create_server(("127.0.0.2", 0))) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(OutgoingError, match=r"shop\.example cannot be asked"):
        fetched(f"http://shop.example:{port}/")
    assert fetched(f"http://shop.example:{other.port}/").ok
    assert looked_up == ["shop.example"] * 2
    assert other.received[0].headers["host"] == f"shop.example:{other.port}"


def test_tls_names_the_host_and_not_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the certificate is compared with is what the URL names."""
    names(monkeypatch, "127.0.0.1")
    asked = list[httpx2.Request]()

    async def send(_: object, request: httpx2.Request, **__: Any) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(204, stream=httpx2.ByteStream(b""))

    monkeypatch.setattr(httpx2.AsyncClient, "send", send)
    fetched("https://bücher.example/x")
    assert asked[0].url == "https://127.0.0.1/x"
    assert asked[0].extensions["sni_hostname"] == asked[0].headers["host"] == "xn--bcher-kva.example"
    trust = outgoing()._trust
    assert (trust.check_hostname, trust.verify_mode) == (True, ssl.CERT_REQUIRED)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "http://",
        "http://a:b@shop.example/",
        "http://[::1/",
        "//x/",
    ],
)
def test_what_is_no_url_to_ask_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        fetched(url)


def test_only_hosts_that_are_named_are_asked(other: Receiver) -> None:
    """Where some are."""
    assert fetched(other.url, hosts=frozenset({"127.0.0.1"})).ok
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.1 is none of the hosts"):
        fetched(other.url, hosts=frozenset({"shop.example"}))


@pytest.mark.parametrize(
    ("headers", "body"),
    [({}, b"x" * 101), ({"Content-Encoding": "gzip"}, b"x"), ({"Content-Length": "50"}, b"x" * 10)],
    ids=["too large", "compressed", "cut short"],
)
def test_an_answer_that_cannot_be_used_is_an_error(other: Receiver, headers: dict[str, str], body: bytes) -> None:
    other.answer = lambda _: (200, headers, body)
    with pytest.raises(OutgoingError):
        fetched(other.url)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"])
def test_an_answer_that_trickles_in_is_too_slow(answer: bytes) -> None:
    """All of it has one limit, however often a byte comes."""
    done, serving = asyncio.Event(), list["asyncio.Task[Any] | None"]()

    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        writer.write(answer)
        with suppress(ConnectionError):
            while not done.is_set():
                writer.write(b"x" if answer.endswith(b"X: ") else b"")
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def ask() -> None:
        server = await asyncio.start_server(trickle, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(OutgoingError, match=r"took longer than 0\.1 s"):
            await outgoing(seconds=0.1).fetch(url)
        server.close()
        done.set()
        await asyncio.gather(*filter(None, serving))

    asyncio.run(ask())


def test_a_name_that_is_not_known_is_an_error() -> None:
    with pytest.raises(OutgoingError, match=r"nothing\.invalid cannot be asked"):
        fetched("http://nothing.invalid/")


def test_nothing_of_the_environment_decides(other: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy stands between."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    assert fetched(other.url).ok
    assert isinstance(other.received[0], Received)
