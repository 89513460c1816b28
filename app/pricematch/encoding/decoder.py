"""The one way from the bytes of an image to the pixels a network sees, in training and in serving.

Formats are known by content, never by name. JPEG, PNG, WebP, GIF, BMP and TIFF; the first frame of animations;
transparency on white; EXIF orientation applied; embedded colour profiles are not applied. Pillow decodes, OpenCV
resizes: bilinear as in the notebook's `tf.image.resize`, or by pixel area where more than two source pixels fall on
one (the notebook's way would skip some). A JPEG is halved first while it stays as large as what is wanted, by pixel
area: nearly what libjpeg gives when it decodes at half the size, and the networks were trained on that.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pricematch.encoding.jpeg_scans import MOST_SCANS, check_scans
from pricematch.encoding.ports import Header, Pixels
from pricematch.errors import (
    ImageCorrupt,
    ImageEmpty,
    ImageError,
    ImageTooLarge,
    ImageTooSmall,
    ImageTypeUnsupported,
    Overloaded,
)

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MEDIA_TYPES = {name: f"image/{name.lower()}" for name in FORMATS} | {"MPO": "image/jpeg"}

_EXIF_ORIENTATION = 0x0112
_SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
_DEEPER = ("I", "F")
_LYING = (5, 6, 7, 8)
_CLEAR_SIDE = 1024
"""Pixels a side that a transparent image has at least after it was shrunk."""
_HALVED = ("JPEG", "MPO")
_MOST_HALVINGS = 3
"""As libjpeg does, which decodes at an eighth of the size at least."""


DECODING = "2"
"""Grows whenever the same bytes give other pixels, so that embeddings kept from before are not mixed with new ones."""


class DecodedImage:
    """The pixels of an image as they lie in the file, RGB on white, and how they are to be turned.

    Args:
        pixels: uint8 [height, width, 3].
        orientation: EXIF orientation, 1 to 8.
        halves: whether it is halved before it is resized.
    """

    def __init__(self, pixels: Pixels, orientation: int, *, halves: bool) -> None:
        self._pixels, self._orientation, self._halves = pixels, orientation, halves

    def upright(self) -> Pixels:
        """Pixels uint8 [height, width, 3] of the whole image in its own size and proportions."""
        return _oriented(self._pixels, self._orientation)

    def squeezed(self, side: int) -> Pixels:
        """Pixels uint8 [side, side, 3], the whole image squeezed to a square as the notebook does."""
        pixels = _halved(self._pixels, side) if self._halves else self._pixels
        return _oriented(_resized(pixels, side), self._orientation)


class PillowDecoder:
    """Implements `ports.Decoder`.

    Args:
        side: height and width of the pixels it returns.
        max_pixels: width × height beyond which an image is refused from its header.
        min_side: pixels of the shorter side below which an image is refused.
        max_scans: scans of a JPEG beyond which it is refused.
    """

    def __init__(self, side: int, max_pixels: int, min_side: int = 1, max_scans: int = MOST_SCANS) -> None:
        self._side, self._max_pixels, self._min_side, self._max_scans = side, max_pixels, min_side, max_scans

    def decode(self, image: bytes) -> Pixels:
        """Pixels uint8 [side, side, 3] in RGB, see `DecodedImage.squeezed`; raises ImageError."""
        return self.decoded(image).squeezed(self._side)

    def upright(self, image: bytes) -> Pixels:
        """Pixels uint8 [height, width, 3] in RGB of the whole image in its own size and proportions.

        Only a transparent one of more than 2,048 pixels a side is shrunk, by a whole factor, which bounds its memory.
        Raises ImageError.
        """
        return self.decoded(image).upright()

    def decoded(self, image: bytes) -> DecodedImage:
        """The whole image, decoded in its own size, see `upright`; raises ImageError, Overloaded."""
        with self._guarded(image) as opened:
            halves = opened.format in _HALVED
            return DecodedImage(_pixels(opened, image), _orientation(opened), halves=halves)

    def header(self, image: bytes) -> Header:
        """The header of an image; the rest of it may be damaged. Raises ImageError."""
        with self._guarded(image) as opened:
            width, height = reversed(opened.size) if _lies(opened) else opened.size
            return Header(MEDIA_TYPES[str(opened.format)], width, height)

    def media_type(self, image: bytes) -> str:
        """The media type of an image by its content; raises ImageError."""
        return MEDIA_TYPES[str(self._open(image).format)]

    @contextmanager
    def _guarded(self, image: bytes) -> Iterator[Image.Image]:
        """The image, neither too large nor too small; what else fails in the block is ImageCorrupt, or Overloaded."""
        opened = self._open(image)
        self._check_size(opened)
        try:
            yield opened
        except ImageError:
            raise
        except MemoryError as error:  # its pixels are few enough: it is not the image's fault
            raise Overloaded("no memory is left to decode the image; try again soon") from error
        except Exception as error:
            raise ImageCorrupt(f"the {opened.format} image does not decode ({_first_line(error)})") from error

    def _open(self, image: bytes) -> Image.Image:
        """The image, its header read."""
        if not image:
            raise ImageEmpty("expected an image, got no bytes")
        check_scans(image, self._max_scans)
        try:
            return Image.open(io.BytesIO(image), formats=FORMATS)
        except UnidentifiedImageError as error:
            if (name := _magic(image)) is not None:
                raise ImageCorrupt(f"the {name} image has a damaged header") from error
            expected = f"expected {', '.join(FORMATS)}"
            raise ImageTypeUnsupported(f"{expected}, got bytes that begin with {image[:8]!r}") from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ImageTooLarge(f"expected at most {self._max_pixels} pixels, got many more") from error
        except Exception as error:  # Pillow's plugins raise whatever their parsers raise
            raise ImageCorrupt(f"the image's header does not decode ({_first_line(error)})") from error

    def _check_size(self, opened: Image.Image) -> None:
        width, height = opened.size
        if width * height > self._max_pixels:
            raise ImageTooLarge(f"expected at most {self._max_pixels} pixels, got {width} × {height}")
        if min(width, height) < self._min_side:
            raise ImageTooSmall(f"expected at least {self._min_side} pixels a side, got {width} × {height}")


def decode_jpeg(image: bytes) -> Pixels | None:
    """RGB pixels [height, width, 3] of an undamaged JPEG: Pillow's, and faster; both call libjpeg-turbo.

    None where the decoder has anything to complain about: Pillow is to decide then.
    """
    try:
        return np.asarray(simplejpeg.decode_jpeg(image, "RGB", strict=True))
    except ValueError:
        return None


def _magic(image: bytes) -> str | None:
    """The format whose first bytes these are, or None."""
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "WEBP"
    signatures = {
        "JPEG": (b"\xff\xd8\xff",),
        "PNG": (b"\x89PNG\r\n\x1a\n",),
        "GIF": (b"GIF87a", b"GIF89a"),
        "BMP": (b"BM",),
        "TIFF": (b"II*\0", b"MM\0*"),
    }
    return next((name for name, starts in signatures.items() if image.startswith(starts)), None)


def _pixels(opened: Image.Image, image: bytes) -> Pixels:
    """RGB on white, as it lies in the file (a TIFF upright)."""
    if (opened.format, opened.mode) == ("JPEG", "RGB"):
        pixels = decode_jpeg(image)
        if pixels is not None and pixels.shape[1::-1] == opened.size:
            return pixels
    opened.load()  # which turns a TIFF upright, and takes the orientation from its EXIF data
    return _on_white(opened)


def _on_white(opened: Image.Image) -> Pixels:
    """8-bit RGB; a large transparent image is shrunk first, so that compositing takes little memory."""
    if opened.mode in _SIXTEEN_BIT:
        grey = (np.asarray(opened).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    if opened.mode in _DEEPER:
        raise ImageTypeUnsupported(f"expected at most 16 bits a channel, got 32 (mode {opened.mode})")
    if not (opened.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in opened.info):
        return np.asarray(opened if opened.mode == "RGB" else opened.convert("RGB"))
    factor = min(opened.size) // _CLEAR_SIDE
    clear = opened.convert("RGBA")
    if factor > 1:
        clear = clear.reduce(factor)
    white = Image.new("RGBA", clear.size, "white")
    return np.asarray(Image.alpha_composite(white, clear).convert("RGB"))


def _halved(pixels: Pixels, side: int) -> Pixels:
    """Halved up to three times while it stays as large as `side`; the last line of an odd size counts twice."""
    times = min((min(pixels.shape[:2]) // side).bit_length() - 1, _MOST_HALVINGS)
    for _ in range(times):
        height, width = pixels.shape[:2]
        if height % 2 or width % 2:
            pixels = np.asarray(cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE), np.uint8)
        size = (width + 1) // 2, (height + 1) // 2
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return pixels


def _resized(pixels: Pixels, side: int) -> Pixels:
    height, width = pixels.shape[:2]
    shrinks = max(height, width) > 2 * side
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=interpolation), np.uint8)


def _orientation(opened: Image.Image) -> int:
    """EXIF orientation 1–8; 1 where there is none or the EXIF data is damaged."""
    try:
        value = opened.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 — damaged metadata is no reason to refuse an image
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _lies(opened: Image.Image) -> bool:
    """Whether width and height of its header change places; a TIFF's size is the upright one already.

    The orientation of a PNG is read only where its EXIF data stands before the pixels: Pillow would decode them to
    look behind.
    """
    readable = opened.format != "TIFF" and (opened.format != "PNG" or "exif" in opened.info)
    return readable and _orientation(opened) in _LYING


def _oriented(pixels: NDArray[np.uint8], orientation: int) -> Pixels:
    """Undo an EXIF orientation (CIPA DC-008, tag 0x0112)."""
    if orientation in _LYING:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _first_line(error: Exception) -> str:
    text = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
