"""How long does /match take over loopback, beside the same work done in-process?

    python benchmarks/serve.py [--images DIR] [--models DIR] [--requests N]

A service is started on the pictures; 1 and then 16 clients post them, each on one connection that is kept open; the
same pictures are then matched by as many threads in this process. Latencies are what a client sees.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from catalogues import Subject, jpegs, subject
from live import Ask, client, service
from rich.console import Console
from rich.table import Table

CLIENTS = (1, 16)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=Path, help="folder of JPEG pictures; a sample is drawn if absent")
    parser.add_argument("--models", type=Path, help="folder of exported models; trained for this run if absent")
    parser.add_argument("--requests", type=int, default=600, help="for each number of clients")
    options = parser.parse_args()
    with subject(options.images, options.models) as measured:
        images = [path.read_bytes() for path in jpegs(measured.images)]
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


def in_process(measured: Subject) -> Ask:
    """Matches pictures without a server."""
    from app.matching.queries import Asked, Query
    from app.service.start import load
    from app.settings import load_settings

    settings = load_settings(
        catalogue=measured.catalogue,
        images=measured.images,
        models=measured.models,
        data=measured.catalogue.parent / "data",
    )
    matcher = load(settings, lambda *_: None).matcher

    def ask(image: bytes) -> None:
        matcher.match(Query(image), Asked(10))

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
