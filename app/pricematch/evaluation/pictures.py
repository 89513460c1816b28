"""What is known of pictures without decoding them."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from pricematch.encoding.ingest import BATCH, thread_pool
from pricematch.encoding.ports import Header, ImageSource
from pricematch.errors import ImageError
from pricematch.progress import Progress


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """One picture file.

    Attributes:
        header: its format, width and height.
        size: its bytes.
        digest: their SHA-256.
        phash: 16 hexadecimal digits, or None where nobody asked for it.
    """

    header: Header
    size: int
    digest: bytes
    phash: str | None


def look_at_pictures(
    names: Sequence[str],
    images: ImageSource,
    header: Callable[[bytes], Header],
    phash: Callable[[bytes], str],
    unhashed: Collection[str],
    *,
    workers: int,
    progress: Progress,
) -> tuple[dict[str, PictureFacts], dict[str, ImageError]]:
    """Read each picture once; only those of `unhashed` are decoded, for their hash.

    Returns:
        what is known of the good pictures, and why the others are bad, both by name.
    """
    facts: dict[str, PictureFacts] = {}
    errors: dict[str, ImageError] = {}

    def look_at(name: str) -> PictureFacts | ImageError:
        try:
            image = images.read(name)
            digest = hashlib.sha256(image).digest()
            return PictureFacts(header(image), len(image), digest, phash(image) if name in unhashed else None)
        except ImageError as error:
            return error

    with thread_pool(workers) as pool:
        for done, (name, found) in enumerate(zip(names, pool.map(look_at, names), strict=True), start=1):
            if isinstance(found, ImageError):
                errors[name] = found
            else:
                facts[name] = found
            if done % BATCH == 0 or done == len(names):
                progress("Looking at pictures", done, len(names))
    return facts, errors
