"""How soon does a service answer over a store that is full already, and what memory does it take?

    python benchmarks/start.py [--postings 100000] [--busy 4] [--images DIR] [--models DIR] [--folder DIR]

The same service is started over a store with one posting and over a full one, in turn: what the first takes is Python
and the models. Embeddings are drawn; that a start encodes none of them is what is measured. Memory is that of all
processes of the service, what they share counted once; those that are busy beside it compute something else.
"""

import argparse
import hashlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from catalogues import Subject, jpegs, subject
from live import client, memory_mib, service
from rich.console import Console
from rich.table import Table

from pricematch.catalogue.features import EncoderInfo, unit_rows
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Put
from pricematch.serving.models import choose_models, load_models
from pricematch.settings import Settings
from pricematch.store.sqlite.store import LOCK, Store, open_store

ROUNDS, BATCH, REQUESTS = 3, 1000, 20
COMPUTE = "while True: pass"
"""What busy processes do."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--postings", type=int, default=100_000)
    parser.add_argument("--busy", type=int, default=0, help="processes that keep the processors busy meanwhile")
    parser.add_argument("--images", type=Path, help="a folder of JPEG files; drawn now if absent")
    parser.add_argument("--models", type=Path, help="exported models; the default encoder if absent")
    parser.add_argument("--folder", type=Path, help="where to write; the temporary folder if absent")
    options = parser.parse_args()
    with subject(options.images, options.models) as measured, tempfile.TemporaryDirectory(dir=options.folder) as name:
        settings = Settings(models=measured.models)
        models = load_models(choose_models(settings, {}), lambda _: None, lambda *_: None, images=True)
        [encoder] = models.encoders.values()
        counts = (1, options.postings)
        places = [replace(measured, catalogue=Path(name) / str(count) / "catalogue.csv") for count in counts]
        for place, count in zip(places, counts, strict=True):
            fill(place.catalogue.parent / "data", count, encoder)
        with busy(options.busy):
            Console().print(table(counts, places, jpegs(measured.images)[0].read_bytes()))


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Processes that compute all the time."""
    processes = [subprocess.Popen([sys.executable, "-c", COMPUTE]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def fill(data: Path, count: int, encoder: EncoderInfo) -> None:
    """A store of postings with titles, images that nobody decodes, and embeddings."""
    draw = np.random.default_rng(0)
    with closing(open_store(data)) as store:
        for first in range(0, count, BATCH):
            put(store, range(first, min(first + BATCH, count)), draw, encoder)


def put(store: Store, rows: range, draw: np.random.Generator, encoder: EncoderInfo) -> None:
    """Store postings, and what their images are compared by."""
    images = [f"image {row}".encode() for row in rows]
    digests = [hashlib.sha256(image).digest() for image in images]
    store.postings.put(
        [
            Put(Posting(f"posting_{row}", digest.hex(), f"a title of usual length, number {row}"), [image])
            for row, digest, image in zip(rows, digests, images, strict=True)
        ]
    )
    store.computed.keep_embeddings(
        encoder.key, digests, unit_rows(draw.standard_normal((len(rows), encoder.dimension)), encoder.dimension)
    )


def table(counts: Sequence[int], places: Sequence[Subject], image: bytes) -> Table:
    """Medians over rounds in which both stores take turns."""
    found = [[started(place, image) for place in places] for _ in range(ROUNDS)]
    table = Table(title=f"Start to ready, median of {ROUNDS}", title_justify="left")
    for column in ("postings", "ready, s", "memory, MiB", "a match, ms"):
        table.add_column(column, justify="right")
    for number, count in enumerate(counts):
        seconds, memory, match = (
            statistics.median(values) for values in zip(*(it[number] for it in found), strict=True)
        )
        table.add_row(f"{count:,}", f"{seconds:.1f}", f"{memory:,.0f}", f"{match * 1000:.1f}")
    return table


def started(place: Subject, image: bytes) -> tuple[float, float, float]:
    """Seconds until the service is ready, its MiB after some matches, and the median seconds of one."""
    began = time.perf_counter()
    with service(place) as port:
        ready = time.perf_counter() - began
        ask, seconds = client(port), list[float]()
        for _ in range(REQUESTS):
            asked = time.perf_counter()
            ask(image)
            seconds.append(time.perf_counter() - asked)
        process = (place.catalogue.parent / "data" / LOCK).read_text(encoding="ascii").strip()
        memory = memory_mib(int(process))
    return ready, memory, statistics.median(seconds)


if __name__ == "__main__":
    main()
