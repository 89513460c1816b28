"""Why an image does not decode: what share of a truncated one is lacking, else what the library says."""

import re
import struct
import zlib

import numpy as np
import simplejpeg
from PIL import UnidentifiedImageError

from pricematch.encoding.image_formats import known_format

_END_OF_JPEG = b"\xff\xd9"
_FILLER = 128
"""The grey that libjpeg gives rows that it has no data for."""
_BLOCK_ROWS = 8
"""Rows of that grey, from which on they are taken for such in a JPEG that has an end."""
_ENDS_EARLY = ("premature end", "found marker 0xd9")
"""What libjpeg says of data that end before all rows are there."""
_PROGRESSIVE = b"\xff\xc2"
_STEP = 1 << 20
_PNG_CHUNKS = 8
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type."""
_REPR = re.compile(r"""b'[^']*'|b"[^"]*"|<[^>]*>""")
"""Bytes and objects in a text, as Python shows them."""


def damage(image: bytes, error: Exception) -> str:
    """Why an image that gave this error does not decode, in words that hold none of its bytes."""
    kind = known_format(image)
    if kind == "JPEG" and "truncated" in str(error):
        return _lacking_jpeg_rows(image + _END_OF_JPEG) or "it ends before the last detail of its rows"
    if kind == "PNG" and (share := _lacking_png_rows(image)):
        return f"about {_percent(share)} % of its rows are lacking"
    if kind is not None and (share := _lacking_bytes(image, kind)):
        return f"about {_percent(share)} % of its bytes are lacking"
    if isinstance(error, UnidentifiedImageError):
        return "it is damaged, or of a kind that is not decoded"
    return _first_line(error)


def _first_line(error: Exception) -> str:
    """The first line of what an error says, without any bytes."""
    text = _REPR.sub("…", (str(error).splitlines() or [""])[0])
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def ended_jpeg(image: bytes) -> tuple[bytes, str | None]:
    """A JPEG of which something may be lacking.

    Returns:
        It with an end marker, where nothing else lacks, else as it is; and what lacks, None for nothing that is known.
    """
    ended = image + _END_OF_JPEG
    try:
        simplejpeg.decode_jpeg(ended, "GRAY", strict=True)
    except ValueError as error:
        ends = any(text in str(error) for text in _ENDS_EARLY)
        return image, _lacking_jpeg_rows(ended, _BLOCK_ROWS) if ends else None
    return ended, None


def _lacking_jpeg_rows(image: bytes, least: int = 0) -> str | None:
    """What share of rows, at least so many, a JPEG that ends too early lacks; None where that is not known."""
    try:
        *_, space, _ = simplejpeg.decode_jpeg_header(image)
        grey = np.asarray(simplejpeg.decode_jpeg(image, "GRAY", strict=False))
    except ValueError:
        return None
    filler = grey[-1, -1, 0] if space in ("CMYK", "YCCK") else _FILLER
    right = grey[:, -(-grey.shape[1] // 2) :]  # the block at which data end may hold anything
    there = np.flatnonzero((right != filler).any(axis=(1, 2)))
    lacking = len(grey) - (there[-1] + 1 if len(there) else 0)
    if lacking < least or (not lacking and _PROGRESSIVE in image):
        return None
    return f"about {_percent(lacking / len(grey))} % of its rows are lacking"


def _lacking_png_rows(image: bytes) -> float | None:
    """The share of rows that the pixels of a PNG do not reach; None where they cannot be counted."""
    try:
        width, height, bits, kind = struct.unpack_from(">IIBB", image, 16)
        needed = height * (1 + (width * bits * _CHANNELS[kind] + 7) // 8)
        found = _inflated(image, needed)
    except (struct.error, KeyError, zlib.error):
        return None
    return 1 - found / needed if 0 < found < needed else None


def _inflated(image: bytes, most: int) -> int:
    """How many bytes the pixels of a PNG inflate to, without keeping them; raises zlib.error."""
    inflate, found, at = zlib.decompressobj(), 0, _PNG_CHUNKS
    while at + 8 <= len(image) and found < most:
        length, kind = int.from_bytes(image[at : at + 4], "big"), image[at + 4 : at + 8]
        rest = image[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        while rest and found < most and not inflate.eof:
            found += len(inflate.decompress(rest, _STEP))
            rest = inflate.unconsumed_tail
        at += 12 + length
    return found


def _lacking_bytes(image: bytes, kind: str) -> float | None:
    """The share of bytes that are not there, of a file that says how many it has."""
    if kind == "WEBP":
        whole = 8 + int.from_bytes(image[4:8], "little")
    elif kind == "BMP":
        whole = int.from_bytes(image[2:6], "little")
    elif kind == "AVIF":
        whole = _end_of_boxes(image)
    else:
        return None
    return 1 - len(image) / whole if whole > len(image) else None


def _end_of_boxes(image: bytes) -> int:
    """Where the last box (ISO 14496-12) that begins within a file ends."""
    at = 0
    while at + 8 <= len(image):
        size = int.from_bytes(image[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(image[at + 8 : at + 16], "big")
        if size < 8:
            break
        at += size
    return at


def _percent(share: float) -> int:
    return min(99, max(1, round(100 * share)))
