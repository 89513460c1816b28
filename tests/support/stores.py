"""Postings to fill a store with, changes for a process that is killed, and a disk with little room."""

import hashlib
import random
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from pricematch.catalogue.metadata import NO_METADATA, Metadata
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import ANYHOW, Condition, Put, Stored
from pricematch.store.sqlite.store import IMAGES, INCOMING, Store, open_store
from tests.support.products import partition


def image_bytes(number: int, size: int = 300) -> bytes:
    """Bytes that are another image for every number; a store never decodes them."""
    return (f"image {number} ".encode() * size)[:size]


def name_of(image: bytes) -> str:
    """What a store calls an image."""
    return hashlib.sha256(image).hexdigest()


def put(
    posting_id: str,
    image: bytes | None = None,
    title: str = "",
    condition: Condition = ANYHOW,
    metadata: Metadata = NO_METADATA,
    more: Sequence[bytes] = (),
) -> Put:
    """A posting to be stored with its images."""
    images = [] if image is None else [image, *more]
    return Put(Posting(posting_id, None, title, metadata=metadata).with_images(map(name_of, images)), images, condition)


def everything(store: Store) -> dict[str, Posting]:
    """All postings by id, read in small pages."""
    return {stored.posting.posting_id: stored.posting for stored in pages(store)}


def pages(store: Store) -> Iterator[Stored]:
    """All stored postings in order."""
    after = ""
    while page := store.postings.page(after, 7):
        yield from page
        after = page[-1].posting.posting_id


def image_names(folder: Path) -> set[str]:
    """The images there are files of."""
    return {"".join(path.relative_to(folder / IMAGES).parts) for path in (folder / IMAGES).glob("*/*")}


def check_whole(store: Store) -> None:
    """Every posting's image is readable and right, and there is no other file."""
    shown = {name for posting in everything(store).values() for name in posting.images}
    for name in shown:
        store.images.read(name)
    assert image_names(store.folder) == shown
    assert not list((store.folder / INCOMING).iterdir())


IDS = [f"posting-{number}" for number in range(10)]
SIZES = (300, 20_000, 400_000)


@dataclass(frozen=True)
class Change:
    """Postings that are put in one call, or one that is deleted."""

    puts: tuple[Put, ...] = ()
    deleted: str = ""

    def make(self, store: Store) -> None:
        if self.puts:
            store.postings.put(self.puts)
        else:
            store.postings.delete(self.deleted)

    def on(self, postings: dict[str, Posting]) -> dict[str, Posting]:
        """What is stored after it."""
        left = {posting_id: posting for posting_id, posting in postings.items() if posting_id != self.deleted}
        return left | {each.posting.posting_id: each.posting for each in self.puts}


def changes(seed: int) -> Iterator[Change]:
    """Endlessly many; images are shared, replaced and given up."""
    draw = random.Random(seed)
    while True:
        if draw.random() < 0.3:
            yield Change(deleted=draw.choice(IDS))
            continue
        chosen = draw.sample(IDS, draw.choice((1, 1, 3)))
        yield Change(tuple(drawn_put(draw, posting_id) for posting_id in chosen))


def drawn_put(draw: random.Random, posting_id: str) -> Put:
    """A posting with none, one or several of ten images, that others may show as well."""
    numbers = draw.choices(range(10), k=draw.choice((0, 1, 1, 1, 3)))
    images = [image_bytes(number, SIZES[number % len(SIZES)]) for number in numbers]
    return put(posting_id, next(iter(images), None), str(draw.random()), more=images[1:])


def work(folder: Path, seed: int, acknowledged: Connection) -> None:
    """Make the changes of a seed, cluster all anew after each, and tell of each one that is made; until killed."""
    store, draw = open_store(folder, serve=True), random.Random(seed)
    for change in changes(seed):
        change.make(store)
        clusters = [[posting_id for posting_id in everything(store) if draw.random() < 0.5]]
        partition(store.products, filter(None, clusters))
        acknowledged.send_bytes(b".")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    if (mount := shutil.which("mount")) is None:
        pytest.skip("there is no mount")
    command = [mount, "-t", "tmpfs", "-o", "size=1m", "pricematch-test", str(tmp_path)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        yield tmp_path / "data"
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def fill_up(path: Path) -> None:
    """Leave not a page."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
