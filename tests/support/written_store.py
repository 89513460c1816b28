"""Postings to fill a store with, and what is found in its folder afterwards."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import ANYHOW, Condition, Put, Stored
from pricematch.store.sqlite.store import IMAGES, INCOMING, Store


def image_bytes(number: int, size: int = 300) -> bytes:
    """Bytes that are another image for every number; a store never decodes them."""
    return (f"image {number} ".encode() * size)[:size]


def name_of(image: bytes) -> str:
    """What a store calls an image."""
    return hashlib.sha256(image).hexdigest()


def put(posting_id: str, image: bytes | None = None, title: str = "", condition: Condition = ANYHOW) -> Put:
    """A posting to be stored with its image."""
    return Put(Posting(posting_id, None if image is None else name_of(image), title), image, condition)


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
    shown = {posting.image for posting in everything(store).values() if posting.image is not None}
    for name in shown:
        store.images.read(name)
    assert image_names(store.folder) == shown
    assert not list((store.folder / INCOMING).iterdir())
