"""The chunks of a PNG, found by their lengths: 20 MiB have room for a million and a half, each of which takes time."""

from collections.abc import Iterator

from pricematch.errors import ImageTooComplex

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS = 50_000
"""Of 8 KiB, as libpng writes them, 20 MiB have 2,560."""
_AROUND = 12
"""Bytes of a chunk beside its content: length, kind and checksum (PNG, third edition, 5.3)."""


def png_chunks(image: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, beginning and end of each chunk before the last one; the end of one that is cut lies behind the file.

    Raises ImageTooComplex where there are very many.
    """
    at = len(_SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        if at + 8 > len(image) or (kind := image[at + 4 : at + 8]) == b"IEND":
            return
        end = at + _AROUND + int.from_bytes(image[at : at + 4])
        yield kind, at, end
        at = end
    raise ImageTooComplex(f"expected at most {_MOST_CHUNKS} chunks in a PNG, got more")


def check_chunks(image: bytes) -> None:
    """Raise ImageTooComplex where a PNG has very many chunks."""
    if image.startswith(_SIGNATURE):
        for _ in png_chunks(image):
            pass
