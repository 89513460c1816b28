"""Connections that bring nothing, or too much, against the real server."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from pricematch.settings import KIB, MIB
from tests.support.contract import PREFIX
from tests.support.fakes import image_bytes
from tests.support.http_bytes import AMBIGUOUS, CHUNKED, HEALTH, POST, STREAM
from tests.support.running_service import TinyService, running
from tests.support.waiting import eventually

pytestmark = pytest.mark.process

HEADER_SECONDS, BODY_SECONDS, IDLE_SECONDS = 3.0, 2.0, 1.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyService]:
    """A service that waits for little."""
    with running(
        tmp_path_factory.mktemp("service"),
        max_body_bytes=2 * MIB,
        header_seconds=HEADER_SECONDS,
        body_seconds=BODY_SECONDS,
        body_idle_seconds=IDLE_SECONDS,
        keep_alive_seconds=1,
        max_connections=1200,
    ) as service:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        yield service


def answers(connection: socket.socket) -> bytes:
    """Everything that comes before the connection is closed."""
    received = bytearray()
    with suppress(ConnectionError):
        while piece := connection.recv(64 * KIB):
            received += piece
    return bytes(received)


def test_fault_20_late_heads_end_the_connection(service: TinyService) -> None:
    """A connection that brings no head, a piece of one, or whole lines of one is closed in time."""
    with ExitStack() as stack:
        connections = [stack.enter_context(service.connect()) for _ in range(3)]
        for connection, start in zip(connections, [b"", b"GET /heal", HEALTH], strict=True):
            connection.sendall(start)
        assert [answers(connection) for connection in connections] == [b""] * 3
    service.assert_well()


def test_fault_20_dripping_heads_end_the_connection(service: TinyService) -> None:
    """A head that comes byte by byte has the same time."""
    with service.connect() as connection, suppress(ConnectionError):
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        while True:
            connection.sendall(b"X: y\r\n")
            time.sleep(0.05)
    assert "no request within 3 s" in service.log()


def test_fault_20_late_heads_of_further_requests_end_the_connection(service: TinyService) -> None:
    """A further request has the same time for its head."""
    with service.connect() as connection:
        connection.sendall(HEALTH + b"\r\n")
        assert connection.recv(64 * KIB).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /heal")
        assert b"HTTP/1.1" not in answers(connection)


def test_an_idle_connection_is_closed_after_a_while_without_a_word(service: TinyService) -> None:
    with service.connect() as connection:
        connection.sendall(HEALTH + b"\r\n")
        received = b""
        while piece := connection.recv(64 * KIB):
            received += piece
        assert received.count(b"HTTP/1.1 ") == 1
        assert received.startswith(b"HTTP/1.1 200")


def test_fault_19_a_dripping_body_is_answered_408_at_the_deadline(service: TinyService) -> None:
    """One byte at a time; the connection is closed."""
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
    assert received.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in received.lower()
    assert time.monotonic() - began > BODY_SECONDS / 2
    service.assert_well()


def test_fault_19_a_body_that_stops_is_answered_408_sooner(service: TinyService) -> None:
    with service.connect() as connection:
        connection.sendall(POST + b"Content-Length: 1000\r\n\r\nx")
        answered = answers(connection)
    assert answered.startswith(b"HTTP/1.1 408")
    assert PREFIX.encode() + b"too-slow" in answered
    assert b"connection: close" in answered.lower()


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
        service.assert_well()
        assert service.ask("GET", "/healthz").status == 200
        eventually(lambda: open_files(service) <= files + 5)
    assert memory(service) - before < 64 * MIB


def answered_on(connection: socket.socket, path: str = "/healthz") -> bytes:
    """What is answered on a connection, which stays open; if it is closed, what came before."""
    answer = b""
    with suppress(ConnectionError):
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while not answer.endswith(b"}") and (piece := connection.recv(64 * KIB)):
            answer += piece
    return answer


def test_idle_connections_make_room_for_new_ones(tmp_path: Path) -> None:
    """Beyond `max_connections` the one that has been idle for longest is closed, whoever has it: fault F15."""
    patient = {"header_seconds": 600, "keep_alive_seconds": 600}
    with running(tmp_path, max_connections=5, **patient) as service, ExitStack() as stack:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        first, *others = [stack.enter_context(service.connect()) for _ in range(5)]
        for connection in (*others, first):  # so that all are open, and which is idle for longest is known
            assert answered_on(connection).startswith(b"HTTP/1.1 200")
        others[0].sendall(b"GET /heal")
        newest = stack.enter_context(service.connect())
        assert answers(others[0]) == b""
        for connection in (first, *others[1:], newest):
            assert answered_on(connection).startswith(b"HTTP/1.1 200")
        for _ in range(10):
            service.assert_well()
        assert "more than 5 are open, and none has been idle for longer" in service.log()


def test_health_is_answered_where_all_connections_are_busy(tmp_path: Path) -> None:
    """Beyond `max_connections` of which none is idle, health is answered, and nothing else: fault F15."""
    with running(tmp_path, max_connections=5, body_idle_seconds=600, body_seconds=600) as service, ExitStack() as stack:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        for _ in range(5):
            busy = stack.enter_context(service.connect())
            busy.sendall(POST + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n")
            assert busy.recv(64 * KIB).startswith(b"HTTP/1.1 100")
        for _ in range(20):
            assert service.ask("GET", "/healthz").status == 200
            assert service.ask("GET", "/readyz").status == 200
        refused = service.ask("GET", "/postings/p0")
        assert (refused.status, refused.body["type"]) == (429, f"{PREFIX}overloaded")
        assert refused.headers["retry-after"]
        idle = [stack.enter_context(service.connect()) for _ in range(50)]
        assert service.ask("GET", "/healthz").status == 200
        assert answers(idle[0]) == b""
        busy.sendall(b"123456789")
        assert b"HTTP/1.1 415" in answers(busy)


@pytest.mark.parametrize(
    "flood",
    [
        HEALTH + b"X: y\r\n" * 50_000 + b"\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"y" * MIB + b"\r\n\r\n",
        b"GET /" + b"y" * MIB + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        bytes(MIB),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
    ],
    ids=["many headers", "a large header", "a long path", "zeros", "TLS"],
)
def test_fault_21_floods_are_refused(service: TinyService, flood: bytes) -> None:
    """Floods of headers and bytes that are no HTTP are answered 400, or their connection is closed."""
    assert service.send(flood).partition(b"\r\n")[0] in (b"", b"HTTP/1.1 400 Bad Request")
    service.assert_well()


def test_an_upgrade_is_not_taken(service: TinyService) -> None:
    upgrade = b"Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    assert service.send(HEALTH + upgrade + key).startswith(b"HTTP/1.1 200")


LINE_ENDS = b"\r\n\r\n" * (MIB // 4)


@pytest.mark.parametrize(
    "flood",
    [
        HEALTH + b"X: y\r\n" * 20_000,
        CHUNKED + b"%x\r\n" % MIB + LINE_ENDS,
        CHUNKED + LINE_ENDS,
        CHUNKED + b"1\r\nx\r\n" * (MIB // 6),
        CHUNKED + b"1\r\nx\r\n0\r\n" + b"a:b\r\n" * MIB,
        HEALTH + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a:b\r\n" * MIB,
        (HEALTH + b"\r\n") * 700,
    ],
    ids=["headers", "a chunk of line ends", "line ends", "single bytes", "trailers", "unread trailers", "requests"],
)
def test_many_floods_at_once_hold_up_nobody(service: TinyService, flood: bytes) -> None:
    """Floods, each on a connection of its own, end or are answered in turn while others are answered: fault F2."""
    with ThreadPoolExecutor(16) as pool:
        floods = [pool.submit(service.send, flood) for _ in range(16)]
        for _ in range(5):
            service.assert_well()
        for each in floods:
            each.result()


def test_fault_21_nothing_makes_the_server_log_a_traceback(service: TinyService) -> None:
    """Ambiguous, broken and half requests are refused without a traceback."""
    for request in AMBIGUOUS.values():
        assert service.send(request).startswith(b"HTTP/1.1 400")
    for end in range(1, len(STREAM), 7):
        with service.connect() as connection:
            connection.sendall(STREAM[:end])
    service.assert_well()


def test_clients_that_do_not_read_hold_no_images(tmp_path: Path) -> None:
    """Stored images are streamed from the disk: who takes nothing holds little, and not for long: fault F5."""
    stored = image_bytes("#ff0000") + bytes(19 * MIB)
    (tmp_path / "p0.png").write_bytes(stored)
    with running(tmp_path, answer_idle_seconds=5) as service, ExitStack() as stack:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        before, files = memory(service), open_files(service)
        request = b"GET /postings/p0/image HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        for _ in range(40):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KIB)
            connection.connect(("127.0.0.1", service.port))
            connection.sendall(request)
        answer = service.send(request)
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b"\r\n\r\n" + stored)
        eventually(lambda: service.log().count("an answer was not taken within 5 s") == 40)
        assert memory(service) - before < 100 * MIB
        eventually(lambda: open_files(service) <= files + 5)
        service.assert_well()
