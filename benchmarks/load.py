"""Clients that cost little: raw HTTP/1.1 over connections that are kept open, in a process of their own."""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

_OK = b"HTTP/1.1 200"


@dataclass(frozen=True)
class Load:
    """What clients ask.

    Attributes:
        port: of the service, on loopback.
        path: where pictures are posted to.
        images: their bytes, asked in turn.
        requests: how many.
        clients: connections, each with one request at a time.
        rate: requests a second that arrive, at random (Poisson); None: each client asks again once it is answered.
    """

    port: int
    path: str
    images: Sequence[bytes]
    requests: int
    clients: int
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

    def percentile(self, share: float) -> float:
        """Of the milliseconds."""
        return float(np.percentile(self.milliseconds, share))


def put_on(load: Load) -> Measured:
    """Ask in another process, so that only the cores are shared with the service."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_ask_all, (load,))


def _ask_all(load: Load) -> Measured:
    return asyncio.run(_clients(load))


async def _clients(load: Load) -> Measured:
    bodies = [_request(load.path, image) for image in load.images]
    times: list[float] = []
    failed: list[bytes] = []
    due = _arrivals(load)

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", load.port, limit=2**20)
        for number, arrival in due:
            if arrival is not None:
                await asyncio.sleep(arrival - time.perf_counter())
            begun = time.perf_counter() if arrival is None else arrival
            writer.write(bodies[number % len(bodies)])
            status = await _answer(reader)
            (times if status else failed).append(1e3 * (time.perf_counter() - begun))  # type: ignore[arg-type]
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(load.clients)))
    return Measured(times, time.perf_counter() - started, len(failed))


def _arrivals(load: Load) -> Iterator[tuple[int, float | None]]:
    """Number of each request and when it is due; None: now."""
    if load.rate is None:
        return ((number, None) for number in range(load.requests))
    gaps = np.random.default_rng(0).exponential(1 / load.rate, load.requests)
    start = time.perf_counter() + 0.1
    return iter(list(enumerate((start + np.cumsum(gaps)).tolist())))


def _request(path: str, image: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: {len(image)}\r\n\r\n"
    )
    return head.encode() + image


async def _answer(reader: asyncio.StreamReader) -> bool:
    """Read an answer; whether it is 200."""
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    begin = lower.index(b"content-length:") + 15
    await reader.readexactly(int(lower[begin : lower.index(b"\r\n", begin)]))
    return head.startswith(_OK)
