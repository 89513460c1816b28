"""Connections that bring nothing, or too much, against the real server."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from pricematch.settings import KIB, MIB
from tests.api.test_request_parsing import AMBIGUOUS, STREAM
from tests.api.test_server import POST, TinyService, eventually, running
from tests.support.contract import PREFIX

HEADER_SECONDS, BODY_SECONDS, IDLE_SECONDS, ANSWER_SECONDS = 1.0, 2.0, 1.0, 2.0
LARGE = b"GET /static-offline-docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n"
"""Asks for more than a megabyte."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyService]:
    """A service that waits for little."""
    with running(
        tmp_path_factory.mktemp("service"),
        max_body_bytes=2 * MIB,
        header_seconds=HEADER_SECONDS,
        body_seconds=BODY_SECONDS,
        body_idle_seconds=IDLE_SECONDS,
        answer_idle_seconds=ANSWER_SECONDS,
        keep_alive_seconds=1,
        max_connections=1200,
    ) as service:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        yield service


def answer(connection: socket.socket) -> tuple[int, str]:
    """Status and type of the problem that comes before the connection is closed, as safe as any other answer."""
    received = bytearray()
    with suppress(ConnectionError):
        while piece := connection.recv(64 * KIB):
            received += piece
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert b"connection: close" in head.lower()
    for name in (b"x-request-id", b"x-content-type-options: nosniff", b"cache-control: no-store", b"referrer-policy"):
        assert name in head.lower()
    return int(head.split()[1]), json.loads(body)["type"].removeprefix(PREFIX)


@pytest.mark.parametrize("start", [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
def test_fault_20_headers_that_do_not_come_are_answered_408_and_the_connection_is_closed(
    service: TinyService, start: bytes
) -> None:
    with service.connect() as connection:
        connection.sendall(start)
        began = time.monotonic()
        assert answer(connection) == (408, "too-slow")
        assert HEADER_SECONDS / 2 < time.monotonic() - began < HEADER_SECONDS + 10
    service.assert_well()


def test_fault_20_headers_that_drip_are_ended_as_well(service: TinyService) -> None:
    with service.connect() as connection, suppress(ConnectionError):
        began = time.monotonic()
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        while time.monotonic() - began < 20:
            connection.sendall(b"X: y\r\n")
            time.sleep(0.05)
    assert time.monotonic() - began < 20


def test_fault_20_so_are_those_of_a_further_request(service: TinyService) -> None:
    with service.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(64 * KIB).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /heal")
        assert answer(connection) == (408, "too-slow")


def test_an_idle_connection_is_closed_after_a_while_without_a_word(service: TinyService) -> None:
    with service.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while piece := connection.recv(64 * KIB):
            received += piece
        assert received.count(b"HTTP/1.1 ") == 1
        assert received.startswith(b"HTTP/1.1 200")


def test_fault_19_a_body_at_one_byte_at_a_time_is_answered_408_at_the_deadline_and_closed(service: TinyService) -> None:
    began = time.monotonic()
    with service.connect() as connection:
        connection.sendall(POST + b"Content-Length: 1000\r\n\r\n")
        connection.settimeout(0.1)
        received = b""
        while b"too-slow" not in received:
            with suppress(ConnectionError):
                connection.sendall(b"x")
            with suppress(TimeoutError):
                received += connection.recv(64 * KIB)
            assert time.monotonic() - began < 20
    assert received.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in received.lower()
    assert time.monotonic() - began > BODY_SECONDS / 2
    service.assert_well()


def test_fault_19_a_body_that_stops_is_answered_408_sooner(service: TinyService) -> None:
    with service.connect() as connection:
        connection.sendall(POST + b"Content-Length: 1000\r\n\r\nx")
        assert answer(connection) == (408, "too-slow")


def test_fault_16_of_a_chunked_body_of_200_megabytes_little_is_read(service: TinyService) -> None:
    before = memory(service)
    sent, chunk = 0, b"10000\r\n" + bytes(64 * KIB) + b"\r\n"
    with service.connect() as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        with suppress(ConnectionError):
            while sent < 200 * MIB:
                connection.sendall(chunk)
                sent += 64 * KIB
        with suppress(ConnectionError):
            assert connection.recv(64 * KIB).startswith(b"HTTP/1.1 413")
    assert sent < 16 * MIB
    assert memory(service) - before < 64 * MIB
    service.assert_well()


def test_a_small_body_that_nobody_reads_costs_nobody_the_connection(service: TinyService) -> None:
    with service.connect() as connection:
        connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        assert connection.recv(64 * KIB).startswith(b"HTTP/1.1 404")
        connection.sendall(b"123456789GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b""
        while piece := connection.recv(64 * KIB):
            received += piece
    assert b"HTTP/1.1 200" in received


def test_a_body_that_goes_on_after_its_answer_is_cut_off(service: TinyService) -> None:
    sent = 0
    with service.connect() as connection:
        connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with suppress(ConnectionError):
            while sent < 200 * MIB:
                connection.sendall(b"10000\r\n" + bytes(64 * KIB) + b"\r\n")
                sent += 64 * KIB
    assert sent < 16 * MIB
    service.assert_well()


def memory(service: TinyService) -> int:
    """Bytes that are resident."""
    pages = int(Path(f"/proc/{service.process.pid}/statm").read_text().split()[1])
    return pages * 4096


def open_files(service: TinyService) -> int:
    """Descriptors, connections among them."""
    return len(list(Path(f"/proc/{service.process.pid}/fd").iterdir()))


def test_a_thousand_idle_connections_hold_up_nobody_and_are_gone_soon(service: TinyService) -> None:
    eventually(lambda: open_files(service) < 100)
    before, files = memory(service), open_files(service)
    with ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(service.connect())
        began = time.monotonic()
        service.assert_well()
        assert service.ask("GET", "/healthz").status == 200
        assert time.monotonic() - began < 5
        eventually(lambda: open_files(service) <= files + 5)
    assert memory(service) - before < 64 * MIB


def reader(service: TinyService) -> socket.socket:
    """A connection whose client's system takes little on its own."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KIB)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", service.port))
    return connection


@pytest.mark.parametrize("end", [b"\r\n", b"Connection: close\r\n\r\n"], ids=["kept", "to be closed"])
def test_clients_that_never_take_their_answers_are_cut_off(service: TinyService, end: bytes) -> None:
    eventually(lambda: open_files(service) < 100)
    files = open_files(service)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(reader(service)).sendall((LARGE + b"\r\n") * 5 + LARGE + end)
        eventually(lambda: open_files(service) >= files + 20)
        service.assert_well()
        eventually(lambda: open_files(service) <= files + 5)
    service.assert_well()


def test_a_client_that_takes_its_answer_slowly_gets_all_of_it(service: TinyService) -> None:
    began, received = time.monotonic(), 0
    with reader(service) as connection:
        connection.sendall((LARGE + b"\r\n") * 5 + LARGE + b"Connection: close\r\n\r\n")
        while piece := connection.recv(64 * KIB):
            received += len(piece)
            time.sleep(len(piece) / (1.5 * MIB))
    assert received > 6 * MIB
    assert time.monotonic() - began > 1.5 * ANSWER_SECONDS


def test_one_connection_more_than_may_be_is_answered_503_and_the_next_is_taken_once_there_is_room(
    tmp_path: Path,
) -> None:
    with running(tmp_path, max_connections=5) as service:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        with ExitStack() as stack:
            for _ in range(5):
                held = stack.enter_context(service.connect())
                held.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                assert held.recv(64 * KIB).startswith(b"HTTP/1.1 200")
            with service.connect() as connection:
                assert answer(connection) == (503, "too-many-connections")
        eventually(lambda: service.ask("GET", "/healthz").status == 200)
        service.assert_well()


@pytest.mark.parametrize(
    "flood",
    [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * MIB + b"\r\n\r\n",
        b"GET /" + b"y" * MIB + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        bytes(MIB),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
    ],
    ids=["many headers", "a large header", "a long path", "zeros", "TLS"],
)
def test_fault_21_floods_of_headers_and_bytes_that_are_no_http_are_answered_with_a_problem(
    service: TinyService, flood: bytes
) -> None:
    answered = service.send(flood)
    assert answered == b"" or (b" 400 " in answered[:20] and b"malformed-request" in answered)
    service.assert_well()


def test_what_is_refused_before_it_is_a_request_is_logged_and_counted(service: TinyService) -> None:
    answered = service.send(bytes(1000))
    request_id = next(line for line in answered.split(b"\r\n") if line.lower().startswith(b"x-request-id")).split()[1]
    assert f"127.0.0.1 400 malformed-request {request_id.decode()}\n" in service.log()
    connection = http.client.HTTPConnection("127.0.0.1", service.port)
    connection.request("GET", "/metrics")
    counted = connection.getresponse().read()
    connection.close()
    assert b'pricematch_requests_total{method="other",route="none",status="400"}' in counted


def test_an_upgrade_is_not_taken(service: TinyService) -> None:
    upgrade = b"Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    assert service.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + upgrade + key).startswith(b"HTTP/1.1 200")


def test_many_floods_at_once_hold_up_nobody(service: TinyService) -> None:
    flood = b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000
    with ThreadPoolExecutor(16) as pool:
        floods = [pool.submit(service.send, flood) for _ in range(64)]
        for _ in range(20):
            service.assert_well()
        for each in floods:
            each.result()


def test_nothing_that_is_sent_makes_the_server_log_a_traceback(service: TinyService) -> None:
    for request in AMBIGUOUS.values():
        assert service.send(request).startswith(b"HTTP/1.1 400")
    for end in range(1, len(STREAM), 7):
        with service.connect() as connection:
            connection.sendall(STREAM[:end])
    service.assert_well()
