"""The server as a process: when it answers, what it makes of broken HTTP, and how it stops."""

import asyncio
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from pricematch.api import server
from pricematch.api.keys import add_to_file, new_key
from pricematch.errors import CatalogueError, PricematchError, SettingsError
from pricematch.serving import startup
from pricematch.settings import KIB, MIB, Settings
from tests.support.fakes import image_bytes
from tests.support.http_bytes import BROKEN, FORM, HEALTH, POST, file, form
from tests.support.running_service import TinyService, running
from tests.support.waiting import SAFETY_SECONDS, eventually

pytestmark = pytest.mark.process

RED = image_bytes("#ff0000")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyService]:
    """A service that is ready, for tests that do not stop it."""
    with running(tmp_path_factory.mktemp("service"), max_body_bytes=2 * MIB) as service:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        yield service


def test_health_is_answered_from_the_first_moment(tmp_path: Path) -> None:
    """The log states when the service is ready."""
    with running(tmp_path, "hold-start") as service:
        assert service.ask("GET", "/healthz").status == 200
        eventually(lambda: "loading models, 0 of 1" in service.ask("GET", "/readyz").body["detail"])
        assert service.ask("GET", "/readyz").status == 503
        assert service.match().status == 503
        assert "ready at" not in service.log()
        (tmp_path / "hold-start").unlink()
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        eventually(lambda: f"ready at http://127.0.0.1:{service.port} " in service.log())  # just after it answers
        service.assert_well()


@pytest.mark.parametrize("error", [CatalogueError("no rows"), RuntimeError("a bug")], ids=["known", "unknown"])
def test_a_start_that_fails_ends_the_server_with_the_reason(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(startup, "start", fail)
    with pytest.raises(type(error)) as raised:
        server.serve(Settings(port=0), lambda *_: None)
    assert raised.value is error


def test_a_port_that_is_taken_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"cannot listen on 127\.0\.0\.1:{port} \(.*in use\)"):
            server.serve(Settings(port=port), lambda *_: None)


def test_an_address_that_is_none_is_an_error_that_names_it() -> None:
    with pytest.raises(PricematchError, match=r"cannot listen on 203\.0\.113\.1:"):
        server.serve(Settings(host="203.0.113.1", port=0, no_auth=True), lambda *_: None)


def test_the_answer_does_not_say_which_server_it_is(service: TinyService) -> None:
    assert "server" not in {name.lower() for name in service.ask("GET", "/healthz").headers}


def test_pipelined_requests_are_answered_in_order(service: TinyService) -> None:
    answer = service.send(
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        b"POST /match HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 0\r\n\r\n"
        b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    assert re.findall(rb"HTTP/1\.1 (\d+)", answer) == [b"200", b"422", b"200"]
    assert answer.index(b'"ok"') < answer.index(b"image-empty") < answer.index(b'"ready"')


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_fault_21_broken_http_is_refused_and_others_are_answered(service: TinyService, kind: str) -> None:
    answer = service.send(BROKEN[kind])
    status = answer.partition(b"\r\n")[0].split()[1:2]
    assert status in ([b"400"], [b"431"], [])  # none where the refusal was lost with the connection
    assert b"HTTP/1.1 200" not in answer
    service.assert_well()


@pytest.mark.parametrize("host", ["evil.example", "[::1]:99999", "a b", "x" * 5000, "x/../..", "é"])
def test_fault_21_nothing_depends_on_the_host_that_the_client_names(service: TinyService, host: str) -> None:
    answer = service.send(f"GET /postings/p0 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400"))
    assert b"evil" not in answer
    redirected = service.send(f"GET /docs/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert redirected.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))


def test_fault_15_a_body_announced_over_the_limit_is_refused(service: TinyService) -> None:
    request = POST + f"Content-Length: {2 * MIB + 1}\r\nExpect: 100-continue\r\n\r\n".encode()
    with service.connect() as connection:
        connection.sendall(request)
        answer = connection.recv(64 * KIB)
        while piece := connection.recv(64 * KIB):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in answer
    assert b"100 Continue" not in answer
    service.assert_well()


@pytest.mark.parametrize("content_type", ["image/png", FORM])
def test_fault_16_a_chunked_body_is_refused_at_the_limit(service: TinyService, content_type: str) -> None:
    def chunk(content: bytes) -> bytes:
        return f"{len(content):x}\r\n".encode() + content + b"\r\n"

    head = f"POST /match HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with service.connect() as connection:
        connection.sendall(head.encode() + chunk(file("image", b"")[:-2]))
        for _ in range(31):
            connection.sendall(chunk(bytes(64 * KIB)))
        with suppress(ConnectionError):  # it need not read the last piece to its end
            connection.sendall(chunk(bytes(64 * KIB)))
        assert connection.recv(64 * KIB).startswith(b"HTTP/1.1 413")
    service.assert_well()


@pytest.mark.parametrize("content_type", ["image/png", FORM])
def test_aborted_uploads_are_no_errors(service: TinyService, content_type: str) -> None:
    head = f"POST /match HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: 100000\r\n\r\n".encode()
    for _ in range(10):
        with service.connect() as connection:
            connection.sendall(head + form([file("image", RED)])[:-9])
    service.assert_well()
    assert " 500 " not in service.log()


def test_fault_20_idle_and_half_sent_requests_do_not_hold_up_others(service: TinyService) -> None:
    starts = [b"", b"GET /heal", HEALTH, POST + b"Content-Length: 1000\r\n\r\nabc"]
    connections = [service.connect() for _ in range(100)]
    try:
        for number, connection in enumerate(connections):
            connection.sendall(starts[number % len(starts)])
        service.assert_well()
    finally:
        for connection in connections:
            connection.close()


def test_many_uploads_at_once_are_all_answered(service: TinyService) -> None:
    with ThreadPoolExecutor(20) as pool:
        statuses = {answer.status for answer in pool.map(lambda _: service.match(), range(100))}
    assert statuses == {200}


def test_fault_35_a_stop_answers_what_is_in_flight(tmp_path: Path) -> None:
    """It does not wait for a half-sent request."""
    with running(tmp_path, "hold", drain_seconds=1.0, grace_seconds=2) as service:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        half_sent = service.connect()
        half_sent.sendall(POST + b"Content-Length: 1000\r\n\r\nabc")
        with ThreadPoolExecutor(1) as pool, half_sent:
            in_flight = pool.submit(service.match)
            eventually((tmp_path / "held").exists)

            service.process.send_signal(signal.SIGTERM)
            eventually(lambda: service.ask("GET", "/readyz").status == 503)
            assert service.ask("GET", "/readyz").body["detail"] == "the service is stopping"
            assert service.ask("GET", "/postings/p0").status == 200

            eventually(lambda: refuses(service))
            assert service.process.poll() is None
            (tmp_path / "hold").unlink()
            assert in_flight.result().body["matches"][0]["posting_id"] == "p0"
            assert service.process.wait(SAFETY_SECONDS) in {0, -signal.SIGTERM}
            assert closed(half_sent)


def refuses(service: TinyService) -> bool:
    """Whether the port is closed."""
    try:
        service.connect().close()
    except ConnectionError:
        return True
    return False


def closed(connection: socket.socket) -> bool:
    """Whether the other side closed a connection, having answered no success on it."""
    try:
        answer = connection.recv(64 * KIB)
    except ConnectionError:
        return True
    return not answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_draining(tmp_path: Path, number: int) -> None:
    with running(tmp_path, drain_seconds=600, grace_seconds=0) as service:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        service.process.send_signal(signal.SIGTERM)
        eventually(lambda: service.ask("GET", "/readyz").status == 503)
        service.process.send_signal(number)
        assert service.process.wait(SAFETY_SECONDS) in {0, -number, -signal.SIGTERM}


def test_a_stop_does_not_wait_for_the_start(tmp_path: Path) -> None:
    with running(tmp_path, "hold-start", drain_seconds=0) as service:
        eventually(lambda: service.ask("GET", "/healthz").status == 200)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(SAFETY_SECONDS) in {0, -signal.SIGTERM}


def test_serving_leaves_no_thread_behind_when_the_start_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise CatalogueError("no rows")

    monkeypatch.setattr(startup, "start", fail)
    before = threading.active_count()
    with pytest.raises(CatalogueError):
        server.serve(Settings(port=0), lambda *_: None)
    eventually(lambda: threading.active_count() <= before)


def test_connections_do_not_wait_for_nagles_algorithm() -> None:
    async def undelayed() -> bool:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def on_connection(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted = writer.get_extra_info("socket")
            found.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listener = server._listen(Settings(port=0))
        host, port = listener.getsockname()
        async with await asyncio.start_server(on_connection, sock=listener):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return bool(await asyncio.wait_for(found, SAFETY_SECONDS))

    assert asyncio.run(undelayed())


@pytest.mark.parametrize(
    ("trusted", "statuses"),
    [("127.0.0.1", [200, 429, 200, 429]), ("10.0.0.1", [200] * 4), ("", [200] * 4)],
    ids=["this proxy", "another one", "none"],
)
def test_addresses_are_those_that_trusted_proxies_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: str, statuses: list[int]
) -> None:
    """Rates count per client, whom a trusted proxy names; nobody else can name another: fault F6."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    clients = ["203.0.113.1", "198.51.100.7, 203.0.113.1", "203.0.113.2", "x" * 60_000 + ", 203.0.113.2"]
    with running(tmp_path, trusted_proxies=trusted, requests_at_once=1, requests_per_second=0.001) as service:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        answers = [service.ask("GET", "/postings/p0", X_Forwarded_For=client) for client in clients]
        log = service.log()
    assert [answer.status for answer in answers] == statuses
    assert "xxx" not in log
    assert ("X-Forwarded-For of 127.0.0.1 is ignored" in log) is (trusted != "127.0.0.1")


@pytest.mark.parametrize(("hard", "allowed"), [(100_000, 2712), (2000, 2000), (resource.RLIM_INFINITY, 2712)])
def test_open_files_are_allowed_for_all_connections(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, hard: int, allowed: int
) -> None:
    """Of files as many may be open as connections and their images need, or as the system lets: fault F15."""
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, given: limits.append(given))
    server._open_files(Settings(max_connections=1100))
    assert limits == [(allowed, hard)]
    assert ("it needs 2712" in caplog.text) is (allowed < 2712)


def test_without_keys_the_service_is_reached_from_this_machine_only(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="pricematch key NAME"):
        server.serve(Settings(host="0.0.0.0", port=0), lambda *_: None)  # noqa: S104 — that is the point


def test_keys_are_read_again_on_sighup(tmp_path: Path) -> None:
    """They stay as they are where the file is damaged."""
    (one, first), (other, second) = new_key("one", "read"), new_key("other", "read")
    add_to_file(tmp_path / "keys", first)

    def status(service: TinyService, key: str) -> int:
        return service.ask("GET", "/postings/p0", X_API_Key=key).status

    with running(tmp_path, api_keys_file=str(tmp_path / "keys"), refusals_at_once=1000) as service:
        eventually(lambda: service.ask("GET", "/readyz").status == 200)
        assert (status(service, one), status(service, other)) == (200, 401)
        (tmp_path / "keys").write_text(second.line())
        service.process.send_signal(signal.SIGHUP)
        eventually(lambda: status(service, other) == 200)
        assert status(service, one) == 401
        (tmp_path / "keys").write_text("damaged")
        service.process.send_signal(signal.SIGHUP)
        eventually(lambda: "the keys stay as they were" in service.log())
        assert status(service, other) == 200
        assert one not in service.log()
        assert other not in service.log()


def test_a_ready_service_uses_one_core_for_linear_algebra(tmp_path: Path) -> None:
    script = """
from threadpoolctl import threadpool_info
from pricematch.api import server
server._leave_cores()
print({library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"})
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.stdout == "{1}\n", ran.stderr
