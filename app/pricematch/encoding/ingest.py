"""Images that a catalogue file names, read by several threads: checked, and digested."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from pricematch.encoding.ports import Decoder, ImageSource
from pricematch.errors import ImageError, ImageUnavailable
from pricematch.progress import Progress

BATCH = 32
_T = TypeVar("_T")


def check_images(
    names: Sequence[str], images: ImageSource, decoder: Decoder, *, workers: int, progress: Progress
) -> dict[str, ImageError]:
    """Which of the distinct images cannot be read or decoded, and why; nothing is kept."""
    errors: dict[str, ImageError] = {}

    def check(name: str) -> None:
        try:
            decoder.decode(images.read(name))
        except ImageError as error:
            errors[name] = error

    with thread_pool(workers) as pool:
        for done, _ in enumerate(pool.map(check, names), start=1):
            if done % BATCH == 0 or done == len(names):
                progress("Checking images", done, len(names))
    return errors


def digest_images(
    names: Sequence[str], images: ImageSource, *, workers: int, progress: Progress
) -> tuple[dict[str, bytes], dict[str, ImageError]]:
    """SHA-256 of each of the distinct images that can be read, by name, and why the others cannot."""

    def digest(name: str) -> bytes | ImageError:
        try:
            return hashlib.sha256(images.read(name)).digest()
        except ImageError as error:
            return error

    digests, errors = dict[str, bytes](), dict[str, ImageError]()
    with thread_pool(workers) as pool:
        for done, (name, result) in enumerate(zip(names, pool.map(digest, names), strict=True), start=1):
            if isinstance(result, ImageError):
                errors[name] = result
            else:
                digests[name] = result
            if done % BATCH == 0 or done == len(names):
                progress("Reading images", done, len(names))
    return digests, errors


class ImagesByDigest:
    """Implements `ports.ImageSource` by digests in hexadecimal digits, over images that have names."""

    def __init__(self, images: ImageSource, names: Mapping[bytes, str]) -> None:
        self._images, self._names = images, names

    def read(self, name: str) -> bytes:
        """The image's bytes; raises ImageError, also where they have another digest by now."""
        digest = bytes.fromhex(name)
        image = self._images.read(self._names[digest])
        if hashlib.sha256(image).digest() != digest:
            raise ImageUnavailable(f"{self._names[digest]!r} changed while it was read")
        return image


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
