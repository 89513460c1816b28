"""How long does /match take over loopback, beside the same work done in-process?

    python benchmarks/serve.py [--images DIR] [--models DIR] [--requests N]

A service is started on the pictures; 1 and then 16 clients post them, each on one connection that is kept open; the
same pictures are then matched by as many threads in this process. Latencies are what a client sees.
"""

import argparse
import http.client
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
from catalogues import Subject, subject
from rich.console import Console
from rich.table import Table

CLIENTS = (1, 16)
Ask: TypeAlias = Callable[[bytes], None]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=Path, help="folder of JPEG pictures; a sample is drawn if absent")
    parser.add_argument("--models", type=Path, help="folder of exported models; trained for this run if absent")
    parser.add_argument("--requests", type=int, default=600, help="for each number of clients")
    options = parser.parse_args()
    with subject(options.images, options.models) as measured:
        names = sorted(path for path in measured.images.iterdir() if path.suffix.lower() in {".jpg", ".jpeg"})
        images = [path.read_bytes() for path in names]
        table = Table(title=f"/match, {options.requests} requests, {len(images)} pictures")
        for column in ("clients", "where", "p50 ms", "p99 ms", "requests a second"):
            table.add_column(column, justify="right")
        with service(measured) as port:
            for clients in CLIENTS:
                add_row(
                    table, clients, "over loopback", measure(images, options.requests, clients, lambda: client(port))
                )
        ask = in_process(measured)
        for clients in CLIENTS:
            add_row(table, clients, "in-process", measure(images, options.requests, clients, lambda: ask))
        Console().print(table)


@contextmanager
def service(measured: Subject) -> Iterator[int]:
    """A ready service; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    options = [
        f"--{name}={value}"
        for name, value in (
            ("catalogue", measured.catalogue),
            ("images", measured.images),
            ("models", measured.models),
            ("data", measured.catalogue.parent / "data"),
            ("port", port),
        )
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "serve", *options], env=os.environ | {"PRICEMATCH_ACCESS_LOG": "false"}
    )
    try:
        while not is_ready(port):
            if process.poll() is not None:
                sys.exit(process.returncode)
            time.sleep(0.2)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def is_ready(port: int) -> bool:
    """Whether the service can answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except (urllib.error.URLError, ConnectionError):
        return False


def client(port: int) -> Ask:
    """Posts pictures on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(image: bytes) -> None:
        connection.request("POST", "/match", image, {"Content-Type": "image/jpeg"})
        response = connection.getresponse()
        response.read()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"expected 200, got {response.status}")

    return ask


def in_process(measured: Subject) -> Ask:
    """Matches pictures without a server."""
    from app.bootstrap import load
    from app.settings import load_settings

    settings = load_settings(
        catalogue=measured.catalogue,
        images=measured.images,
        models=measured.models,
        data=measured.catalogue.parent / "data",
    )
    matcher = load(settings, lambda *_: None).matcher

    def ask(image: bytes) -> None:
        matcher.match(image, 10)

    return ask


def measure(
    images: Sequence[bytes], requests: int, clients: int, connect: Callable[[], Ask]
) -> tuple[list[float], float]:
    """Milliseconds of each request, and requests a second."""

    def work(share: Sequence[bytes]) -> list[float]:
        ask = connect()
        ask(share[0])  # connects, warms up
        times = []
        for image in share:
            started = time.perf_counter()
            ask(image)
            times.append(1e3 * (time.perf_counter() - started))
        return times

    asked = list(itertools.islice(itertools.cycle(images), requests))
    with ThreadPoolExecutor(clients) as pool:
        started = time.perf_counter()
        shares = list(pool.map(work, [asked[first::clients] for first in range(clients)]))
        seconds = time.perf_counter() - started
    return [milliseconds for share in shares for milliseconds in share], requests / seconds


def add_row(table: Table, clients: int, where: str, measured: tuple[list[float], float]) -> None:
    """One line of the table."""
    times, rate = measured
    p50, p99 = np.percentile(times, [50, 99])
    table.add_row(str(clients), where, f"{p50:.1f}", f"{p99:.1f}", f"{rate:.0f}")


if __name__ == "__main__":
    main()
