"""Embeds the pictures of a catalogue: each distinct content once, and only what is not kept from before."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.encoding.picture_encoder import PictureEncoder
from pricematch.encoding.ports import Decoder, EmbeddingStore, ImageSource
from pricematch.errors import ImageError, ImageUnavailable
from pricematch.progress import Progress

BATCH = 32
_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class EmbeddedImages:
    """What became of the pictures of a catalogue.

    Attributes:
        embeddings: [m, d], one row a distinct content.
        rows: which row of `embeddings` belongs to an image name; names whose picture is bad are absent.
        errors: why a picture is bad, by image name.
        encoded: how many contents were encoded now; the others were kept.
    """

    embeddings: Embeddings
    rows: Mapping[str, int]
    errors: Mapping[str, ImageError]
    encoded: int


def embed_images(
    names: Iterable[str],
    images: ImageSource,
    encoder: PictureEncoder,
    store: EmbeddingStore,
    *,
    workers: int,
    progress: Progress,
) -> EmbeddedImages:
    """Embed the pictures with these names; names may repeat.

    A batch of 32 pictures is read and embedded by one of `workers` threads, so at most workers × 32 are in memory. New
    embeddings are put into `store`, and those no picture has any more are dropped.

    Raises:
        ModelOutputError: the encoder gave something that is no embedding.
    """
    errors: dict[str, ImageError] = {}
    names = list(dict.fromkeys(names))
    with thread_pool(workers) as pool:
        digests = _digest(names, images, pool, errors, progress)
        kept = store.load()
        known = {digest: kept[digest] for digest in digests.values() if digest in kept}
        new = {digest: name for name, digest in digests.items() if digest not in known}
        known.update(encode_contents(new, images, encoder, pool, errors, progress))
    by_content = {digest: row for row, digest in enumerate(known)}
    embeddings = np.array(list(known.values()), np.float32).reshape(len(known), encoder.dimension)
    if new or len(known) < len(kept):
        store.save(list(known), embeddings)
    bad = {digest: errors[name] for digest, name in new.items() if name in errors}
    errors.update({name: bad[digest] for name, digest in digests.items() if digest in bad})
    rows = {name: by_content[digest] for name, digest in digests.items() if digest in by_content}
    return EmbeddedImages(embeddings, rows, errors, encoded=len(new) - len(bad))


def check_images(
    names: Sequence[str], images: ImageSource, decoder: Decoder, *, workers: int, progress: Progress
) -> dict[str, ImageError]:
    """Which of the distinct pictures cannot be read or decoded, and why; nothing is kept."""
    errors: dict[str, ImageError] = {}

    def check(name: str) -> None:
        try:
            decoder.decode(images.read(name))
        except ImageError as error:
            errors[name] = error

    with thread_pool(workers) as pool:
        for done, _ in enumerate(pool.map(check, names), start=1):
            if done % BATCH == 0 or done == len(names):
                progress("Checking pictures", done, len(names))
    return errors


def digest_images(
    names: Sequence[str], images: ImageSource, *, workers: int, progress: Progress
) -> tuple[dict[str, bytes], dict[str, ImageError]]:
    """SHA-256 of each of the distinct pictures that can be read, by name, and why the others cannot."""
    errors: dict[str, ImageError] = {}
    with thread_pool(workers) as pool:
        return _digest(names, images, pool, errors, progress), errors


@contextmanager
def thread_pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that, if the block fails or is interrupted, finish what they are at and drop what is queued."""
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def chunks(items: Sequence[_T], size: int = BATCH) -> list[Sequence[_T]]:
    """Consecutive pieces of `size` items, the last one shorter."""
    return [items[first : first + size] for first in range(0, len(items), size)]


def _digest(
    names: Sequence[str],
    images: ImageSource,
    pool: ThreadPoolExecutor,
    errors: dict[str, ImageError],
    progress: Progress,
) -> dict[str, bytes]:
    """SHA-256 of each readable picture, by name; the others go to `errors`."""

    def digest(name: str) -> bytes | ImageError:
        try:
            return hashlib.sha256(images.read(name)).digest()
        except ImageError as error:
            return error

    digests: dict[str, bytes] = {}
    for done, (name, result) in enumerate(zip(names, pool.map(digest, names), strict=True), start=1):
        if isinstance(result, ImageError):
            errors[name] = result
        else:
            digests[name] = result
        if done % BATCH == 0 or done == len(names):
            progress("Reading pictures", done, len(names))
    return digests


def encode_contents(
    new: Mapping[bytes, str],
    images: ImageSource,
    encoder: PictureEncoder,
    pool: ThreadPoolExecutor,
    errors: dict[str, ImageError],
    progress: Progress,
) -> Iterator[tuple[bytes, NDArray[np.float32]]]:
    """Digest and embedding of each good picture; batches of 32 are read and embedded by one thread each.

    Args:
        new: names of pictures by digest.
        images: gives their bytes.
        encoder: embeds them.
        pool: the threads.
        errors: gets the reason of each bad one, by name.
        progress: told how many are done.
    """

    def encode(batch: Sequence[tuple[bytes, str]]) -> list[tuple[bytes, NDArray[np.float32]]]:
        read: dict[bytes, bytes] = {}
        for digest, name in batch:
            try:
                image = images.read(name)
                if hashlib.sha256(image).digest() != digest:
                    raise ImageUnavailable(f"{name!r} changed while it was read")
                read[digest] = image
            except ImageError as error:
                errors[name] = error
        embeddings, failed = encoder.embed(list(read.values()))
        bad = {digest: error for digest, error in zip(read, failed, strict=True) if error is not None}
        errors.update({new[digest]: error for digest, error in bad.items()})
        return list(zip((digest for digest in read if digest not in bad), embeddings, strict=True))

    done = 0
    batches = chunks(list(new.items()))
    for batch, embedded in zip(batches, pool.map(encode, batches), strict=True):
        yield from embedded
        done += len(batch)
        progress("Encoding pictures", done, len(new))
