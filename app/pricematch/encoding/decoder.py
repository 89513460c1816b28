"""The one way from the bytes of an image to the pixels a network sees, in training and in serving.

Formats are known by content, never by name; the first frame of animations; transparency on white, or on mid-grey where
nothing would be seen; EXIF orientation applied; embedded colour profiles are not applied. Pillow decodes, OpenCV
resizes: bilinear as in the notebook's `tf.image.resize`, or by pixel area where more than two source pixels fall on
one (the notebook's way would skip some). A JPEG is halved first while it stays as large as what is wanted, by pixel
area: nearly what libjpeg gives when it decodes at half the size, and the networks were trained on that.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2
import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from pricematch.encoding.damage import damage, ended_jpeg
from pricematch.encoding.image_formats import FORMATS, MEDIA_TYPES, known_format, unsupported
from pricematch.encoding.jpeg_scans import MOST_SCANS, check_scans
from pricematch.encoding.orientation import LYING, orientation_of, oriented
from pricematch.encoding.png_chunks import check_chunks
from pricematch.encoding.ports import Header, Pixels
from pricematch.encoding.rgb import to_rgb
from pricematch.errors import (
    ImageCorrupt,
    ImageEmpty,
    ImageError,
    ImageTooLarge,
    ImageTooSmall,
    Overloaded,
)

if TYPE_CHECKING:
    from pricematch.settings import Settings

_JPEGS = ("JPEG", "MPO")
_FAST = {"RGB": "RGB", "L": "GRAY"}
"""Names of colour spaces by mode."""
_COARSE_SIDE, _NOISE = 32, 6
"""Pixels a side that the perceptual hash sees, and by how many values of 255 they differ in an image of one colour;"""
_FEW_SIDE, _MOST_NOISE = 16, 64
"""so many single pixels a side at least, and by how many values."""
_MOST_HALVINGS = 3
"""As libjpeg does, which decodes at an eighth of the size at least."""


class DecodedImage:
    """The pixels of an image as they lie in the file, RGB on white or grey, and how they are to be turned.

    Args:
        pixels: uint8 [height, width, 3].
        orientation: EXIF orientation, 1 to 8.
        halves: whether it is halved before it is resized.
    """

    def __init__(self, pixels: Pixels, orientation: int, *, halves: bool) -> None:
        self._pixels, self._orientation = pixels, orientation
        self._most_halvings = _MOST_HALVINGS if halves else 0
        self._halvings = [pixels]

    def upright(self) -> Pixels:
        """Pixels uint8 [height, width, 3] of the whole image in its own size and proportions."""
        return oriented(self._pixels, self._orientation)

    def one_colour(self) -> bool:
        """Whether it shows nothing: means of a thirty-second of its sides differ by no more than noise does.

        Nor does any single pixel of a few that are looked at first, since most images are told by them.
        """
        height, width = self._pixels.shape[:2]
        step = min(height, width) // _FEW_SIDE | 1  # odd, so that no pattern of every other pixel is passed over
        if _range(self._pixels[::step, ::step]) > _MOST_NOISE:
            return False
        size = min(width, _COARSE_SIDE), min(height, _COARSE_SIDE)
        return _range(np.asarray(cv2.resize(self._pixels, size, interpolation=cv2.INTER_AREA))) <= _NOISE

    def squeezed(self, side: int) -> Pixels:
        """Pixels uint8 [side, side, 3], the whole image squeezed to a square as the notebook does."""
        return oriented(_resized(self._halved(side), side), self._orientation)

    def fitted(self, side: int) -> Pixels:
        """Pixels uint8 [height, width, 3], upright, in its proportions; the longer side is shrunk to `side`."""
        height, width = self._pixels.shape[:2]
        scale = side / max(height, width)
        if scale >= 1:
            return self.upright()
        size = max(1, round(width * scale)), max(1, round(height * scale))
        resized = cv2.resize(self._halved(min(size)), size, interpolation=cv2.INTER_AREA)
        return oriented(np.asarray(resized, np.uint8), self._orientation)

    def _halved(self, side: int) -> Pixels:
        """Halved as often as it may be while it stays as large as `side`; halvings are kept for other sides."""
        times: int = min((min(self._pixels.shape[:2]) // side).bit_length() - 1, self._most_halvings)
        while len(self._halvings) <= times:
            self._halvings.append(_half(self._halvings[-1]))
        return self._halvings[max(times, 0)]


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
            halves = opened.format in _JPEGS
            return DecodedImage(_pixels(opened, image), orientation_of(opened), halves=halves)

    def header(self, image: bytes) -> Header:
        """The header of an image; the rest of it may be damaged. Raises ImageError."""
        with self._guarded(image) as opened:
            width, height = reversed(opened.size) if _lies(opened) else opened.size
            return Header(MEDIA_TYPES[str(opened.format)], width, height)

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
            raise ImageCorrupt(f"the {opened.format} image does not decode: {damage(image, error)}") from error

    def _open(self, image: bytes) -> Image.Image:
        """The image, its header read."""
        if not image:
            raise ImageEmpty("expected an image, got no bytes")
        check_scans(image, self._max_scans)
        check_chunks(image)
        try:
            return Image.open(io.BytesIO(image), formats=FORMATS)
        except UnidentifiedImageError as error:
            if (name := known_format(image)) is not None:
                raise ImageCorrupt(f"the {name} image has a bad header: {damage(image, error)}") from error
            raise unsupported(image) from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ImageTooLarge(f"expected at most {self._max_pixels} pixels, got many more") from error
        except Exception as error:  # Pillow's plugins raise whatever their parsers raise
            raise ImageCorrupt(f"the image's header does not decode: {damage(image, error)}") from error

    def _check_size(self, opened: Image.Image) -> None:
        width, height = opened.size
        if width * height > self._max_pixels:
            raise ImageTooLarge(f"expected at most {self._max_pixels} pixels, got {width} × {height}")
        if min(width, height) < self._min_side:
            raise ImageTooSmall(f"expected at least {self._min_side} pixels a side, got {width} × {height}")


def decoder(settings: "Settings", side: int) -> PillowDecoder:
    """The decoder with the limits of settings, for pixels of this side."""
    return PillowDecoder(side, settings.max_pixels, settings.min_image_side, settings.max_scans)


def decode_jpeg(image: bytes, mode: str = "RGB") -> Pixels | None:
    """RGB pixels [height, width, 3] of an undamaged JPEG: Pillow's, and faster; both call libjpeg-turbo.

    None where the decoder has anything to complain about: Pillow is to decide then.

    Args:
        image: the file.
        mode: Pillow's name of what it holds; None is returned for others than `RGB` and `L`.
    """
    if mode not in _FAST:
        return None
    try:
        pixels = np.asarray(simplejpeg.decode_jpeg(image, _FAST[mode], strict=True))
    except ValueError:
        return None
    return np.repeat(pixels, 3, axis=2) if mode == "L" else pixels


def _pixels(opened: Image.Image, image: bytes) -> Pixels:
    """RGB, as it lies in the file (a TIFF upright)."""
    if opened.format in _JPEGS:
        return _jpeg_pixels(opened, image)
    opened.load()  # which turns a TIFF upright, and takes the orientation from its EXIF data
    return to_rgb(opened, image)


def _jpeg_pixels(opened: Image.Image, image: bytes) -> Pixels:
    """RGB of a JPEG, which may lack its end marker but no row."""
    pixels = decode_jpeg(image, opened.mode) if opened.format == "JPEG" else None
    if pixels is not None and pixels.shape[1::-1] == opened.size:
        return pixels
    ended, lacking = ended_jpeg(image)
    if lacking is not None:
        raise ImageCorrupt(f"the {opened.format} image is truncated: {lacking}")
    with Image.open(io.BytesIO(ended), formats=("JPEG",)) as whole:
        whole.load()
        return to_rgb(whole, ended)


def _range(pixels: Pixels) -> int:
    """By how many values the pixels [height, width, 3] differ, in the colour in which they differ most."""
    return int(np.ptp(pixels, axis=(0, 1)).max())


def _half(pixels: Pixels) -> Pixels:
    """Half the size; the last line of an odd size counts twice."""
    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        pixels = np.asarray(cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE), np.uint8)
    size = (width + 1) // 2, (height + 1) // 2
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _resized(pixels: Pixels, side: int) -> Pixels:
    height, width = pixels.shape[:2]
    shrinks = max(height, width) > 2 * side
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=interpolation), np.uint8)


def _lies(opened: Image.Image) -> bool:
    """Whether width and height of its header change places; a TIFF's size is the upright one already.

    The orientation of a PNG is read only where its EXIF data stands before the pixels: Pillow would decode them to
    look behind.
    """
    readable = opened.format != "TIFF" and (opened.format != "PNG" or "exif" in opened.info)
    return readable and orientation_of(opened) in LYING
