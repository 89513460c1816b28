"""Clients that cost little: raw HTTP/1.1 over connections that are kept open, in a process of their own."""

import multiprocessing
import selectors
import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import cycle, repeat
from multiprocessing.pool import Pool

import numpy as np

_OK = b"HTTP/1.1 200"
_LENGTH = b"content-length:"
_ANSWER_BYTES = 256 * 1024
_IDLE_SECONDS = 1.0
"""After which a connection is not used again; services close theirs after some seconds more."""


@dataclass(frozen=True)
class Load:
    """What clients send.

    Attributes:
        port: of the service, on loopback.
        path: where images are posted to.
        bodies: what is posted, in turn.
        seconds: how long requests are sent; what is sent is waited for.
        clients: connections, each with one request at a time.
        media_type: of the bodies.
        rate: requests a second that arrive, at random (a Poisson process); None: each client asks again once answered.
    """

    port: int
    path: str
    bodies: Sequence[bytes]
    seconds: float
    clients: int
    media_type: str = "image/jpeg"
    rate: float | None = None


@dataclass(frozen=True)
class Measured:
    """What clients saw.

    Attributes:
        milliseconds: from when a request was due until it was answered, of those answered 200.
        seconds: all of it.
        failed: how many were answered otherwise.
    """

    milliseconds: Sequence[float]
    seconds: float
    failed: int

    @property
    def rate(self) -> float:
        """Requests that were answered 200 a second."""
        return len(self.milliseconds) / self.seconds

    def percentiles(self, *shares: float) -> list[float]:
        """Of the milliseconds."""
        return [float(value) for value in np.percentile(self.milliseconds, shares)]


@dataclass(eq=False)
class _Client:
    """A connection, which events are waited for of while there is a request on it."""

    connection: socket.socket
    idle_since: float = field(default_factory=time.perf_counter)
    due: float = 0.0
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))
    answer: bytes = b""


def put_on(load: Load) -> Measured:
    """Ask in another process, so that only the cores are shared with the service."""
    return _clients().apply(_ask_all, (load,))


@cache
def _clients() -> Pool:
    """The one process of all clients; it ends with this one."""
    return multiprocessing.get_context("spawn").Pool(1)


def _ask_all(load: Load) -> Measured:
    requests = cycle([_request(load, body) for body in load.bodies])
    times, failed, events = list[float](), 0, selectors.DefaultSelector()
    idle = deque(_Client(_connected(load.port)) for _ in range(load.clients))
    started = time.perf_counter()
    arrivals, until = _arrivals(load.rate, started), started + load.seconds
    due = next(arrivals)
    while (more := (due or time.perf_counter()) < until) or len(idle) < load.clients:
        if more and idle and (due is None or due <= time.perf_counter()):
            client = idle.popleft()
            _keep_open(client, load.port)
            _send(client, next(requests), due, events)
            due = next(arrivals)
            continue
        waits = max(0.0, due - time.perf_counter()) if more and idle and due is not None else None
        for key, ready in events.select(waits):
            ok = _go_on(key.data, ready, events)
            if ok is not None:
                times.append(1e3 * (time.perf_counter() - key.data.due)) if ok else None
                failed += not ok
                events.unregister(key.data.connection)
                key.data.idle_since = time.perf_counter()
                idle.append(key.data)
    seconds = time.perf_counter() - started
    for client in idle:
        client.connection.close()
    return Measured(times, seconds, failed)


def _connected(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.settimeout(0)
    return connection


def _keep_open(client: _Client, port: int) -> None:
    """Connect anew where the service may have closed the connection because it was idle."""
    if time.perf_counter() - client.idle_since > _IDLE_SECONDS:
        client.connection.close()
        client.connection = _connected(port)


def _arrivals(rate: float | None, start: float) -> Iterator[float | None]:
    """When each request is due; None: now."""
    if rate is None:
        yield from repeat(None)
    else:
        draw = np.random.default_rng(0)
        while True:
            start += draw.exponential(1 / rate)
            yield start


def _request(load: Load, body: bytes) -> bytes:
    headers = ("Host: localhost", f"Content-Type: {load.media_type}", f"Content-Length: {len(body)}")
    return "\r\n".join((f"POST {load.path} HTTP/1.1", *headers, "", "")).encode() + body


def _send(client: _Client, request: bytes, due: float | None, events: selectors.BaseSelector) -> None:
    client.due = time.perf_counter() if due is None else due
    client.unsent = memoryview(request)[client.connection.send(request) :]
    both = selectors.EVENT_READ | selectors.EVENT_WRITE
    events.register(client.connection, both if client.unsent else selectors.EVENT_READ, client)


def _go_on(client: _Client, ready: int, events: selectors.BaseSelector) -> bool | None:
    """Send and read what can be; None while there is more to come, else whether the answer was 200."""
    if ready & selectors.EVENT_WRITE:
        client.unsent = client.unsent[client.connection.send(client.unsent) :]
        if not client.unsent:
            events.modify(client.connection, selectors.EVENT_READ, client)
    if not ready & selectors.EVENT_READ:
        return None
    if not (piece := client.connection.recv(_ANSWER_BYTES)):
        raise ConnectionError("the service hung up")
    client.answer += piece
    head, end, body = client.answer.partition(b"\r\n\r\n")
    if not end or len(body) < int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0]):
        return None
    client.answer = b""
    return head.startswith(_OK)
