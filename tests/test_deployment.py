"""The proxy that the compose file puts in front of the service, where nginx is installed."""

import http.client
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pricematch.settings import KIB, Settings
from tests.support.fakes import image_bytes, marked_bytes
from tests.support.http_bytes import CHUNKED, HEALTH, NEXT, POST
from tests.support.ports import free_port
from tests.support.running_service import TinyService, running
from tests.support.waiting import SAFETY_SECONDS, eventually

CONFIGURATION = Path(__file__).parents[1] / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx")
BELOW = """
        location /match-api/ { proxy_pass http://pricematch; }
        location /stripped/match-api/ { proxy_pass http://pricematch/; }
        location / {"""
"""The service below a path, which is passed on or stripped, as docs/operations.md says."""
pytestmark = [pytest.mark.process, pytest.mark.skipif(NGINX is None, reason="nginx is not installed")]


class Proxy:
    """nginx with the shipped configuration, in front of a service on this machine."""

    def __init__(self, folder: Path, service: TinyService) -> None:
        self.service, self.port = service, free_port()
        text = CONFIGURATION.read_text(encoding="utf-8")
        replaced = {
            "service:8000": f"127.0.0.1:{service.port}",
            "listen 8080": f"listen 127.0.0.1:{self.port}",
            "/tmp/": f"{folder}/",
            "client_header_timeout 10s": "client_header_timeout 1s",
            "\n        location / {": BELOW,
        }
        for shipped, here in replaced.items():
            assert shipped in text
            text = text.replace(shipped, here)
        self.configuration = folder / "nginx.conf"
        self.configuration.write_text(text, encoding="utf-8")
        self.command = [str(NGINX), "-e", "stderr", "-c", str(self.configuration)]

    def send(self, request: bytes) -> bytes:
        """Everything that is answered to these bytes until the proxy closes the connection."""
        answer = bytearray()
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=SAFETY_SECONDS) as connection,
            suppress(ConnectionError),
        ):
            connection.sendall(request)
            while piece := connection.recv(64 * KIB):
                answer += piece
        return bytes(answer)

    def answers(self) -> bool:
        """Whether the proxy passes requests on."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SAFETY_SECONDS)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except ConnectionError:
            return False
        finally:
            connection.close()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy before a service that is ready."""
    folder = tmp_path_factory.mktemp("proxy")
    limits: dict[str, Any] = {"requests_at_once": 3, "requests_per_second": 0.001}
    limits |= {"trusted_proxies": "127.0.0.1", "root_path": "/match-api"}
    with running(tmp_path_factory.mktemp("service"), **limits) as service:
        (service.folder / "p0.png").write_bytes(image_bytes("#ff0000"))
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        proxy = Proxy(folder, service)
        # folders of tests are their owner's alone, and nginx that root starts would serve as somebody else
        owner = "user root; " if os.getuid() == 0 else ""
        with subprocess.Popen([*proxy.command, "-g", f"{owner}daemon off;"]) as process:
            try:
                eventually(proxy.answers)
                yield proxy
            finally:
                process.terminate()


def test_configuration_is_valid(proxy: Proxy) -> None:
    """Nginx accepts the shipped configuration."""
    ran = subprocess.run([*proxy.command, "-t"], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "[warn]" not in ran.stderr


def test_requests_pass(proxy: Proxy) -> None:
    """An image is matched through the proxy, chunked or not."""
    image = marked_bytes("#ff0000")
    whole = POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(image) + image
    head = CHUNKED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    chunked = head + b"%x\r\n" % len(image) + image + b"\r\n0\r\n\r\n"
    for request in (whole, chunked):
        answer = proxy.send(request)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b'"posting_id":"p0"' in answer


@pytest.mark.parametrize("path", ["/match-api", "/stripped/match-api"])
def test_the_service_may_be_below_a_path(proxy: Proxy, path: str) -> None:
    """Its addresses lead back through the proxy, which passes the path on or strips it (fault C17)."""
    close = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert b'"image_url":"/match-api/v1/postings/p0/image?v=' in proxy.send(
        b"GET %s/postings/p0" % path.encode() + close
    )
    assert proxy.send(b"GET /match-api/postings/p0/image" + close).startswith(b"HTTP/1.1 200")
    assert b"/match-api/openapi.json" in proxy.send(b"GET %s/docs" % path.encode() + close)


def test_late_heads_end_the_connection(proxy: Proxy) -> None:
    """A head that does not come is the proxy's, and never reaches the service."""
    assert b"HTTP/1.1 200" not in proxy.send(HEALTH)


def test_long_heads_are_refused(proxy: Proxy) -> None:
    """A head beyond the buffers is answered 400 by the proxy."""
    assert proxy.send(HEALTH + b"X: " + b"y" * 20 * KIB + b"\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_large_bodies_are_refused_with_a_problem(proxy: Proxy) -> None:
    """A body beyond `max_body_bytes` is answered as the service would."""
    size = Settings().max_body_bytes + 1
    answer = proxy.send(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in answer
    assert b"body-too-large" in answer


@pytest.mark.parametrize(
    "path",
    [
        b"/postings/import",
        b"/v1/postings/import",
        b"/namespaces/default/v1/postings/import",
        b"/namespaces/default/postings/import",
    ],
)
def test_imports_may_be_larger(proxy: Proxy, path: bytes) -> None:
    """Under both of their paths; the service itself says what else is wrong."""
    size = Settings().max_body_bytes + 1
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/plain\r\n" % path
    assert proxy.send(head + b"Content-Length: %d\r\n\r\n" % size + bytes(size)).startswith(b"HTTP/1.1 415")


def test_clients_cannot_name_another_address(proxy: Proxy) -> None:
    """The proxy says who asks, whatever the client says: this machine is not limited."""
    request = b"GET /postings/p0 HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.1\r\nConnection: close\r\n\r\n"
    assert {proxy.send(request)[:12] for _ in range(5)} == {b"HTTP/1.1 200"}


@pytest.mark.parametrize(
    "smuggled",
    [
        CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n") + b"0\r\n\r\n" + NEXT,
        CHUNKED.replace(b"chunked", b"xchunked") + b"0\r\n\r\n" + NEXT,
        POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(NEXT) + NEXT,
        POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(NEXT) + NEXT,
    ],
    ids=["both sizes", "another coding", "upgrade", "two sizes"],
)
def test_smuggled_requests_are_not_executed(proxy: Proxy, smuggled: bytes) -> None:
    """What is hidden in a body never reaches the service as a request."""
    request = smuggled.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n", 1)
    answer = proxy.send(request)
    assert len(re.findall(rb"HTTP/1\.1 ", answer)) <= 1
    assert "/next" not in proxy.service.log()
    assert not re.search(r"GET none 404", proxy.service.log())
