"""From an image as it lies in its file, of whatever mode and transparency, to 8-bit RGB without any.

What is transparent is white; where the rest is nearly white itself, so that nothing would be seen of it, mid-grey.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pricematch.encoding.ports import Pixels
from pricematch.errors import ImageTypeUnsupported

_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
_DEEPER = ("I", "F")
_WITH_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")
_CLEAR_SIDE = 1024
"""Pixels a side that a transparent image has at least after it was shrunk."""
_PHOTOMETRIC, _BITS = 262, 258
"""Tags of a TIFF."""
_DEPTH_AT = 24
"""Where the header of a PNG has its bits a channel."""
_WHITE, _GROUND = 255, 128
_NEARLY_WHITE, _SHOWN = 240, 0.01
"""On white the rest is seen where a hundredth of it is darker than this."""
_DRAWN = 16
"""Alpha from which on a pixel is more than a trace."""


def to_rgb(opened: Image.Image, image: bytes) -> Pixels:
    """The pixels of a loaded image, uint8 [height, width, 3], of the file `image`.

    A large transparent image is shrunk first, so that compositing takes little memory.

    Raises:
        ImageTypeUnsupported: it has more than 16 bits a channel.
    """
    if opened.mode in _DEEPER:
        raise ImageTypeUnsupported(
            f"expected at most 16 bits a channel, got 32 (mode {opened.mode}); convert it to 8 bits a channel"
        )
    clear = _sixteen_bit(opened) if opened.mode in _SIXTEEN_BIT else _clear(opened, image)
    if clear is None:
        return np.asarray(opened if opened.mode == "RGB" else opened.convert("RGB"))
    if clear.mode == "L":
        return np.asarray(clear.convert("RGB"))
    factor = min(clear.size) // _CLEAR_SIDE
    if factor > 1:
        clear = clear.reduce(factor)
    return _on_ground(clear)


def _sixteen_bit(opened: Image.Image) -> Image.Image:
    """Grey of 16 bits: the upper 8, or RGBA where one value is transparent."""
    values = np.asarray(opened).astype(np.uint16)
    tags = getattr(opened, "tag_v2", {})
    (bits, *_) = tags.get(_BITS, (16,))
    if bits < 16:  # 12 bits lie in the lower ones
        values = values << (16 - bits)
    if tags.get(_PHOTOMETRIC) == 0:  # white is zero, which Pillow heeds up to 8 bits only
        values = ~values
    grey = Image.fromarray((values >> 8).astype(np.uint8))
    if (transparent := opened.info.get("transparency")) is None:
        return grey
    alpha = np.where(values == transparent, 0, 255).astype(np.uint8)
    return Image.merge("LA", [grey, Image.fromarray(alpha)]).convert("RGBA")


def _clear(opened: Image.Image, image: bytes) -> Image.Image | None:
    """RGBA of an image of up to 8 bits that may be transparent; None for others."""
    if opened.mode == "La":
        return _unmultiplied(opened)
    if opened.mode in _WITH_ALPHA:
        return opened.convert("RGBA")
    if (transparent := opened.info.get("transparency")) is None:
        return None
    if opened.format == "PNG" and opened.mode in ("1", "L", "RGB"):
        return _keyed(opened, image[_DEPTH_AT], transparent)
    return opened.convert("RGBA")


def _keyed(opened: Image.Image, bits: int, transparent: int | tuple[int, ...]) -> Image.Image:
    """RGBA of a PNG in which one colour, given in the file's own depth, is transparent.

    Of 16 bits a channel Pillow keeps the upper 8, by which the colour is known then.
    """
    key = np.atleast_1d(transparent)
    eight = key >> 8 if bits == 16 else key * 255 // (2**bits - 1)
    rgb = opened.convert("RGB")
    there = (np.asarray(rgb) == np.broadcast_to(eight, 3)).all(axis=2)
    rgb.putalpha(Image.fromarray(np.where(there, 0, 255).astype(np.uint8)))
    return rgb


def _unmultiplied(opened: Image.Image) -> Image.Image:
    """RGBA of grey that is multiplied by its alpha, which Pillow undoes for colours only."""
    grey, alpha = opened.split()
    return Image.merge("RGBa", [grey, grey, grey, alpha]).convert("RGBA")


def _on_ground(clear: Image.Image) -> Pixels:
    """An RGBA image on white, or on mid-grey where it would not be seen."""
    white = _composited(clear, _WHITE)
    alpha = np.asarray(clear.getchannel("A"))
    if alpha.min() == _WHITE:
        return white
    drawn = np.count_nonzero(alpha >= _DRAWN)
    seen = np.count_nonzero(white.min(axis=2) < _NEARLY_WHITE)
    return white if not drawn or seen > _SHOWN * drawn else _composited(clear, _GROUND)


def _composited(clear: Image.Image, ground: int) -> NDArray[np.uint8]:
    below = Image.new("RGBA", clear.size, (ground, ground, ground, 255))
    return np.asarray(Image.alpha_composite(below, clear).convert("RGB"))
