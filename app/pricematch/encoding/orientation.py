"""How a camera was held, as metadata of an image say it, and pixels turned upright."""

import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pricematch.encoding.ports import Pixels

ORIENTATION = 0x0112
"""The tag of EXIF data."""
LYING = (5, 6, 7, 8)


def orientation_of(opened: Image.Image) -> int:
    """EXIF orientation 1–8; 1 where there is none or the EXIF data is damaged.

    Of a PNG that of its EXIF data only, not of texts that some programs hide it in.
    """
    if opened.format == "PNG":
        return orientation_in(opened.info.get("exif"))
    try:
        value = opened.getexif().get(ORIENTATION, 1)
    except Exception:  # noqa: BLE001 — damaged metadata is no reason to refuse an image
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def orientation_in(exif: bytes | None, xmp: bytes | None = None) -> int:
    """The same of EXIF data, or where these say nothing of XMP."""
    empty = Image.new("1", (1, 1))
    empty.info = {name: value for name, value in (("exif", exif), ("xmp", xmp)) if value}
    return orientation_of(empty)


def exif_with(orientation: int) -> bytes:
    """EXIF data, without a prefix, that say an orientation and nothing else."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, ORIENTATION, 3, 1, orientation, 0, 0)


def oriented(pixels: NDArray[np.uint8], orientation: int) -> Pixels:
    """Undo an EXIF orientation (CIPA DC-008, tag 0x0112)."""
    if orientation in LYING:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
