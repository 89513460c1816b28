"""What does a change of metadata alone take beside one of the title, and what memory do metadata take?

    python benchmarks/metadata.py [--postings 10000] [--held 100000] [--rounds 100] [--folder DIR]

A service is started over drawn postings with titles and hashes, which the default matcher compares; one posting after
the other is patched over HTTP, its metadata and its title in turn. Then postings are held in memory with five fields
each and with none. Every change is forced to the disk: name a folder on the one that is meant.
"""

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from live import free_port, started
from rich.console import Console
from rich.table import Table

from pricematch.catalogue.metadata import NO_METADATA, Metadata, stored_metadata
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.catalogue.records import Put
from pricematch.store.sqlite.store import open_store

_WORDS = [f"word{number}" for number in range(3000)]
_BATCH = 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--postings", type=int, default=10_000, help="that are served")
    parser.add_argument("--held", type=int, default=100_000, help="that are held in memory")
    parser.add_argument("--rounds", type=int, default=100, help="changes of each kind")
    parser.add_argument("--folder", type=Path, help="where to write; the temporary folder if absent")
    options = parser.parse_args()
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        data, port = Path(name) / "data", free_port()
        fill(data, options.postings, draw)
        command = [sys.executable, "-m", "pricematch", "serve", f"--data={data}", f"--port={port}"]
        with started([*command, f"--models={Path(name) / 'models'}"], port):
            Console().print(patching(port, options.postings, options.rounds, draw))
    Console().print(holding(options.held, draw))


def drawn(number: int, draw: np.random.Generator, metadata: Metadata) -> Posting:
    """A posting that resembles no other."""
    return Posting(f"p{number}", None, title(draw), f"{int(draw.integers(2**63)):016x}", metadata=metadata)


def title(draw: np.random.Generator) -> str:
    """Five words."""
    return " ".join(draw.choice(_WORDS, 5))


def fields(draw: np.random.Generator) -> dict[str, Any]:
    """What a shop says of an offer."""
    return {
        "seller": f"shop {draw.integers(200)}",
        "price": int(draw.integers(100, 100_000)) / 100,
        "currency": "IDR",
        "category": str(draw.choice(["fashion", "beauty", "drinks"])),
        "brand": f"brand {draw.integers(500)}",
    }


def fill(data: Path, count: int, draw: np.random.Generator) -> None:
    """Make a store of postings with metadata."""
    with closing(open_store(data)) as store:
        for first in range(0, count, _BATCH):
            numbers = range(first, min(first + _BATCH, count))
            store.postings.put([Put(drawn(number, draw, Metadata(fields(draw)))) for number in numbers])


def patching(port: int, count: int, rounds: int, draw: np.random.Generator) -> Table:
    """Milliseconds of patches, of metadata and of titles in turn."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took: dict[str, list[float]] = {"metadata": [], "title": []}
    for _ in range(rounds):
        patches: Mapping[str, Any] = {"metadata": {"price": draw.random()}, "title": title(draw)}
        for what, value in patches.items():
            started_at = time.perf_counter()
            headers = {"Content-Type": "application/merge-patch+json"}
            connection.request("PATCH", f"/postings/p{draw.integers(count)}", json.dumps({what: value}), headers)
            response = connection.getresponse()
            response.read()
            took[what].append(1e3 * (time.perf_counter() - started_at))
            if response.status != http.client.OK:
                sys.exit(f"expected 200, got {response.status}")
    table = Table("a patch of", "p50, ms", "p90, ms", title=f"{count:,} postings")
    for what, milliseconds in took.items():
        table.add_row(what, f"{statistics.median(milliseconds):.1f}", f"{_tenth(milliseconds):.1f}")
    return table


def _tenth(values: Sequence[float]) -> float:
    """What nine in ten are below."""
    return sorted(values)[9 * len(values) // 10]


def holding(count: int, draw: np.random.Generator) -> Table:
    """Bytes that postings take, read as from a store, and time of a change of one's metadata."""
    table = Table("with", "bytes a posting", "µs a change", title=f"{count:,} postings in memory")
    for what in ("no metadata", "five fields each"):
        texts = [None if what == "no metadata" else Metadata(fields(draw)).text for _ in range(count)]
        tracemalloc.start()
        catalogue = Catalogue([drawn(number, draw, stored_metadata(text)) for number, text in enumerate(texts)])
        size = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        took = []
        for row in range(0, count, max(1, count // 100)):
            began = time.perf_counter()
            catalogue = catalogue.with_metadata({row: NO_METADATA})
            took.append(1e6 * (time.perf_counter() - began))
        table.add_row(what, f"{size / count:.0f}", f"{statistics.median(took):.0f}")
    return table


if __name__ == "__main__":
    main()
