"""Images that a catalogue file names, read by several threads."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from pricematch.encoding.ports import Decoder, ImageSource
from pricematch.errors import ImageError, ImageUnavailable
from pricematch.progress import Progress

BATCH = 32
_T = TypeVar("_T")


def each_image(
    names: Sequence[str], compute: Callable[[str], _T], what: str, *, workers: int, progress: Progress
) -> tuple[dict[str, _T], dict[str, ImageError]]:
    """Compute something of each of the distinct images, by several threads: results by name, errors of the others."""
    found, errors = dict[str, _T](), dict[str, ImageError]()

    def attempt(name: str) -> _T | ImageError:
        try:
            return compute(name)
        except ImageError as error:
            return error

    with thread_pool(workers) as pool:
        for done, (name, result) in enumerate(zip(names, pool.map(attempt, names), strict=True), start=1):
            if isinstance(result, ImageError):
                errors[name] = result
            else:
                found[name] = result
            if done % BATCH == 0 or done == len(names):
                progress(what, done, len(names))
    return found, errors


def check_images(
    names: Sequence[str], images: ImageSource, decoder: Decoder, *, workers: int, progress: Progress
) -> dict[str, ImageError]:
    """Which of the distinct images cannot be read or decoded, and why; nothing is kept."""

    def check(name: str) -> None:
        decoder.decode(images.read(name))

    return each_image(names, check, "Checking images", workers=workers, progress=progress)[1]


def digest_images(
    names: Sequence[str], images: ImageSource, *, workers: int, progress: Progress
) -> tuple[dict[str, bytes], dict[str, ImageError]]:
    """SHA-256 of each of the distinct images that can be read, by name, and why the others cannot."""

    def digest(name: str) -> bytes:
        return hashlib.sha256(images.read(name)).digest()

    return each_image(names, digest, "Reading images", workers=workers, progress=progress)


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
