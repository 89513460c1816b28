"""Clients of the benchmarks ask at the rate they should, and count what is answered."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from load import Load, put_on

pytestmark = pytest.mark.process


class _Service(ThreadingHTTPServer):
    """Answers every fourth request 503, the others 200, to the body `slow` late; keeps the bodies."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies = list[bytes]()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 2  # seconds after which an idle connection is closed
    server: _Service

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        if self.server.bodies[-1] == b"slow":
            time.sleep(3)
        self.send_response(503 if len(self.server.bodies) % 4 == 0 else 200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _service() -> Iterator[_Service]:
    with _Service() as service:
        thread = Thread(target=service.serve_forever)
        thread.start()
        yield service
        service.shutdown()
        thread.join()


def test_clients_count_what_is_answered_and_take_bodies_in_turn() -> None:
    """Every request is answered and counted, the refused ones as failed; each body is sent as often as the others."""
    with _service() as service:
        measured = put_on(Load(service.server_port, "/match", [b"one", b"other"], 0.3, 1, "text/plain"))
    assert len(service.bodies) == len(measured.milliseconds) + measured.failed > 1
    assert measured.failed == len(service.bodies) // 4
    assert service.bodies == [b"one", b"other"] * (len(service.bodies) // 2) + [b"one"] * (len(service.bodies) % 2)


@pytest.mark.parametrize("clients", [1, 4])
def test_requests_that_arrive_at_random_are_as_many_whatever_the_clients(clients: int) -> None:
    """As many are sent as a Poisson process of that rate has arrivals until then."""
    with _service() as service:
        put_on(Load(service.server_port, "/match", [b"one"], 0.5, clients, "text/plain", rate=40))
    arrivals = np.cumsum(np.random.default_rng(0).exponential(1 / 40, 100))
    assert len(service.bodies) == (arrivals < 0.5).sum()


def test_connections_that_are_closed_while_others_wait_are_no_failure() -> None:
    """One client is idle until its connection is closed, the other waits for an answer meanwhile."""
    with _service() as service:
        measured = put_on(Load(service.server_port, "/match", [b"slow", b"quick"], 0.285, 2, "text/plain", rate=6))
    assert measured.failed == 0
    assert service.bodies == [b"slow", b"quick"]
