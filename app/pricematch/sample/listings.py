"""The files of postings: a photo finished by its seller, encoded."""

import io
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image, ImageFilter

from pricematch.sample.banners import add_banner, add_watermark
from pricematch.sample.photos import Pixels

_SIDES = (300, 320, 360, 400, 400, 450, 480, 500, 500, 560, 600, 640, 700, 800, 900)
_FORMATS = (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"))


@dataclass(frozen=True)
class Picture:
    """One image file.

    Attributes:
        name: of the file.
        data: its bytes.
        phash: 64-bit perceptual hash of what the bytes decode to, 16 hex digits.
    """

    name: str
    data: bytes
    phash: str


def choose_side(rng: np.random.Generator) -> int:
    """Pixels along the longer side of a seller's picture, 300 to 900."""
    return int(_SIDES[rng.integers(len(_SIDES))])


def finish(pixels: Pixels, stem: str, rng: np.random.Generator, *, plain: bool) -> Picture:
    """Print and write over a photo, blur it now and then, encode it, and hash the result.

    Args:
        pixels: uint8 [height, width, 3] RGB.
        stem: the file's name without its ending.
        rng: decides what the seller does.
        plain: whether the picture goes up as it is.
    """
    image = Image.fromarray(pixels)
    if not plain:
        image = _edited(image, rng)
    data, ending = _encoded(image, rng)
    with Image.open(io.BytesIO(data)) as written:
        phash = str(imagehash.phash(written))
    return Picture(f"{stem}.{ending}", data, phash)


def _edited(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    if rng.random() < 0.10:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.6, 1.6))))
    if rng.random() < 0.38:
        add_banner(image, rng)
    if rng.random() < 0.22:
        add_watermark(image, rng)
    return image


def _encoded(image: Image.Image, rng: np.random.Generator) -> tuple[bytes, str]:
    # Large pictures are never PNG on a marketplace: uploads have a size limit.
    small = max(image.size) <= 500
    name, ending = _FORMATS[rng.choice(3, p=(0.88, 0.06, 0.06))] if small else _FORMATS[0]
    buffer = io.BytesIO()
    if name == "PNG":
        image.save(buffer, name, compress_level=4)
    else:
        image.save(buffer, name, quality=int(rng.integers(58, 95)), **({"method": 2} if name == "WEBP" else {}))
    return buffer.getvalue(), ending
