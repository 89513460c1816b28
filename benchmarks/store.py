"""How quickly does the store write, and how quickly is all of it read at a start?

    python benchmarks/store.py [--postings 100000] [--dimension 64] [--folder DIR]

Writing is beside plain files on the same disk, each written and forced to it; reading beside one .npz and one file of
JSON lines, which cannot change while they are read. Every change the store has acknowledged is forced to the disk.
Name a folder on the disk that is meant: the temporary one may be memory.
"""

import argparse
import hashlib
import json
import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from pricematch.catalogue.features import Embeddings, unit_rows
from pricematch.catalogue.feed import Position
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Put
from pricematch.settings import MIB, Settings
from pricematch.store.backup import backup, restore
from pricematch.store.sqlite.store import DATABASE, Store, open_store

IMAGE_BYTES, SINGLE, BATCHES, BATCH, PAGE, CHANGES = 50_000, 300, 20, 100, 1_000, 1_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--postings", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--folder", type=Path, help="where to write; the temporary folder if absent")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        Console().print(writing(folder))
        Console().print(reading(folder, options.postings, options.dimension))
        Console().print(moving(folder))


def writing(folder: Path) -> Table:
    """Rates of writing, one call after the other."""
    table = table_of(f"Writing, images of {IMAGE_BYTES:,} bytes", "what", "a second")
    with closing(open_store(folder / "written")) as store:
        table.add_row("store: a posting, its image is stored", rate(SINGLE, lambda row: put(store, row, 1, "title")))
        table.add_row("store: a posting and its image", rate(SINGLE, lambda row: put(store, row, 1)))
        batches = rate(BATCHES, lambda row: put(store, 1000 + row * BATCH, BATCH), BATCH)
        table.add_row(f"store: {BATCH} postings and their images in a call", batches)
        table.add_row("store: a deletion, its image with it", rate(SINGLE, lambda row: delete(store, row)))
    table.add_row("peer: a plain file of the image, forced to the disk", rate(SINGLE, lambda row: plain(folder, row)))
    return table


def put(store: Store, first: int, count: int, title: str = "") -> None:
    """Put postings with images of their own, or of the first one alone where there is a title."""
    images = [picture(0 if title else row) for row in range(first, first + count)]
    names = [hashlib.sha256(image).hexdigest() for image in images]
    postings = [Posting(f"{row}{title}", name) for row, name in enumerate(names, first)]
    store.postings.put([Put(posting, [image]) for posting, image in zip(postings, images, strict=True)])


def picture(row: int) -> bytes:
    """Bytes that are another image for every row."""
    return row.to_bytes(4, "big") * (IMAGE_BYTES // 4)


def delete(store: Store, row: int) -> None:
    """Delete a posting that has an image of its own."""
    store.postings.delete(f"{row}")


def plain(folder: Path, row: int) -> None:
    """Write a file, and have it and its name on the disk."""
    with (folder / f"plain{row}").open("wb") as file:
        file.write(picture(row))
        file.flush()
        os.fsync(file.fileno())
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def rate(times: int, work: Callable[[int], None], each: int = 1) -> str:
    """How many a second, `each` of them in a call."""
    started = time.perf_counter()
    for number in range(times):
        work(number)
    return f"{times * each / (time.perf_counter() - started):,.0f}"


def reading(folder: Path, count: int, dimension: int) -> Table:
    """Seconds to open a filled store and read all of it, and the memory that what was read takes."""
    embeddings = unit_rows(np.random.default_rng(0).standard_normal((count, dimension)), dimension)
    hashes = [f"{row:016x}" for row in range(count)]
    postings = [
        Posting(f"posting_{row}", None, f"a title of usual length, number {row}", text)
        for row, text in enumerate(hashes)
    ]
    digests = [hashlib.sha256(posting.posting_id.encode()).digest() for posting in postings]
    fill(folder / "read", postings, digests, embeddings, hashes)
    np.savez(folder / "peer.npz", digests=np.array(digests), embeddings=embeddings)
    (folder / "peer.jsonl").write_text(
        "".join(f"{json.dumps(asdict(posting))}\n" for posting in postings), encoding="utf-8"
    )
    del embeddings, postings

    table = table_of(f"Reading {count:,} postings, {dimension} values each", "what", "seconds", "MiB")
    started = time.perf_counter()
    with closing(open_store(folder / "read", serve=True)) as store:
        table.add_row("store: opened to be served, checked and swept", f"{time.perf_counter() - started:.2f}", "")
        measure(table, f"store: postings, {PAGE:,} a page", lambda: list(pages(store)))
        measure(table, "store: embeddings", lambda: store.computed.embeddings("benchmark", digests))
        measure(table, "store: hashes", lambda: store.computed.hashes("hash", digests))
        measure(table, "store: all changes since the beginning", lambda: store.feed.changes(Position(0)))
        measure(table, f"store: {CHANGES:,} changes from the middle", lambda: middle(store))
    measure(table, "peer: postings from JSON lines", lambda: lines(folder / "peer.jsonl"))
    measure(table, "peer: embeddings from .npz", lambda: loaded(folder / "peer.npz"))
    table.caption = f"the database has {(folder / 'read' / DATABASE).stat().st_size / MIB:,.0f} MiB"
    return table


def middle(store: Store) -> None:
    """A page of changes, as whoever follows a store reads them."""
    store.feed.changes(Position(store.postings.version() // 2), CHANGES)


def fill(
    folder: Path, postings: list[Posting], digests: list[bytes], embeddings: Embeddings, hashes: list[str]
) -> None:
    """A store with postings, embeddings and hashes; images would only be looked at by name."""
    with closing(open_store(folder)) as store:
        for first in range(0, len(postings), PAGE):
            some = slice(first, first + PAGE)
            store.postings.put([Put(posting) for posting in postings[some]])
            store.computed.keep_embeddings("benchmark", digests[some], embeddings[some])
            store.computed.keep_hashes("hash", digests[some], hashes[some])


def pages(store: Store) -> Iterator[object]:
    """All postings."""
    after = ""
    while page := store.postings.page(after, PAGE):
        yield from page
        after = page[-1].posting.posting_id


def loaded(path: Path) -> dict[bytes, object]:
    """Embeddings by digest, from one file."""
    with np.load(path, allow_pickle=False) as arrays:
        return dict(zip(arrays["digests"].tolist(), arrays["embeddings"], strict=True))


def lines(path: Path) -> list[Posting]:
    """Postings from one file."""
    with path.open(encoding="utf-8") as file:
        return [Posting(**json.loads(line)) for line in file]


def measure(table: Table, what: str, read: Callable[[], object]) -> None:
    """Seconds that something takes to be read, and, read once more, the memory it takes."""
    started = time.perf_counter()
    read()
    seconds = time.perf_counter() - started
    tracemalloc.start()
    kept = read()
    table.add_row(what, f"{seconds:.2f}", f"{tracemalloc.get_traced_memory()[0] / MIB:,.0f}")
    tracemalloc.stop()
    del kept


def moving(folder: Path) -> Table:
    """Seconds of a backup and of restoring it, of the store that was read and of images."""
    table = table_of("Backup and restore", "store", "MiB", "backup, s", "restore elsewhere, s", "restore again, s")
    for name in ("written", "read"):
        file = folder / f"{name}.tar"
        taken = backup(Settings(data=folder / name), file, lambda *_: None)
        restored = [restore(Settings(data=folder / f"{name}-again"), file, lambda *_: None) for _ in range(2)]
        seconds = (f"{each:.2f}" for each in (taken.seconds, *(one.seconds for one in restored)))
        what = f"{taken.counted.postings:,} postings, {len(taken.counted.images):,} images"
        table.add_row(what, f"{taken.size / MIB:,.0f}", *seconds)
    return table


def table_of(title: str, first: str, *columns: str) -> Table:
    """An empty table."""
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table


if __name__ == "__main__":
    main()
