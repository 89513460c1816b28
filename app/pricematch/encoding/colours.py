"""How much of an image each colour takes, which no network computes, and which one may have been trained to ignore.

Histograms of colours as such: Swain and Ballard, "Color Indexing", 1991; hue, saturation and value as in Smith, "Color
Gamut Transform Pairs", 1978.
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.encoding.ports import Pixels, Runtime
from pricematch.pairs import shades

HUES, SATURATIONS, VALUES = 16, 4, 4
NOT_GREY = 3
"""By how many values of 255 the channels of a pixel with a hue differ, at least: rounding makes less of grey."""
_FEW = 0.01
"""Share of the pixels of a grey image that may have a hue, from a compressed edge."""
_DARKEST = 16
"""Darker pixels count as this dark: of so few values ratios are noise."""
_LUMAS = 256
_Values: TypeAlias = NDArray[np.int16]
_Planes: TypeAlias = tuple[_Values, _Values, _Values]


def _lightness_steps() -> NDArray[np.float64]:
    """How much a pixel of each lightness counts for each step, [`LIGHTNESSES`, `_LUMAS`]: the two it lies between."""
    ratio = np.maximum(np.arange(_LUMAS), _DARKEST) / _DARKEST
    scale = np.log(ratio) / np.log((_LUMAS - 1) / _DARKEST) * (shades.LIGHTNESSES - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(np.arange(shades.LIGHTNESSES)[:, np.newaxis] - scale)), np.float64)


_LIGHTNESS_STEPS = _lightness_steps()


class ColourHistogram:
    """Implements `ports.Encoder`; of matchers that were trained before there was `ShadeHistogram`.

    An embedding holds the square roots of the shares of an image's pixels in 16 × 4 × 4 bins of hue, saturation and
    value. It has unit length, and the cosine of two is the Bhattacharyya coefficient of both histograms: 1 for the same
    colours, 0 for none in common (Bhattacharyya 1943).
    """

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return HUES * SATURATIONS * VALUES

    @property
    def versions(self) -> Mapping[str, str]:
        """Empty: there is no model."""
        return {}

    @property
    def runtimes(self) -> Mapping[str, Runtime]:
        """Empty, too."""
        return {}

    def encode(self, pixels: Pixels) -> Embeddings:
        """Embeddings [n, 256] of a batch [n, height, width, 3]; height and width are at least 1."""
        _, height, width, _ = pixels.shape
        hue, saturation, _, high = _hsv(_planes(pixels), HUES, SATURATIONS)
        bins = (hue * SATURATIONS + saturation) * VALUES + high * VALUES // 256
        return np.asarray(np.sqrt(_counts(bins, self.dimension) / (height * width)), np.float32)


class ShadeHistogram:
    """Implements `ports.Encoder`.

    An embedding holds the square roots of the shares of an image's pixels in steps of lightness, and in each of them of
    grey and of 16 × 4 hues and saturations, see `pricematch.pairs.shades`. Lightness is that of Rec. 601, as of a grey
    copy, on a logarithmic scale: each pixel counts for the two steps it lies between. Saturation and hue stay what they
    are in other light. An image with next to no hue counts as one of greys.
    """

    @property
    def dimension(self) -> int:
        """Length of an embedding."""
        return shades.SHADES

    @property
    def versions(self) -> Mapping[str, str]:
        """Empty: there is no model."""
        return {}

    @property
    def runtimes(self) -> Mapping[str, Runtime]:
        """Empty, too."""
        return {}

    def encode(self, pixels: Pixels) -> Embeddings:
        """Embeddings [n, `SHADES`] of a batch [n, height, width, 3]; height and width are at least 1."""
        count, height, width, _ = pixels.shape
        planes = _planes(pixels)
        hue, saturation, spread, _ = _hsv(planes, shades.HUES, shades.SATURATIONS)
        coloured = spread >= NOT_GREY
        coloured &= np.count_nonzero(coloured, axis=(1, 2), keepdims=True) / (height * width) >= _FEW
        colour = np.where(coloured, 1 + hue * shades.SATURATIONS + saturation, shades.GREY)
        counts = _counts(_luma(planes) * (1 + shades.COLOURS) + colour, _LUMAS * (1 + shades.COLOURS))
        steps = _LIGHTNESS_STEPS @ counts.reshape(
            count, _LUMAS, 1 + shades.COLOURS
        )  # each pixel was counted once, for its lightness
        return np.asarray(np.sqrt(steps.reshape(count, self.dimension) / (height * width)), np.float32)


def _hsv(planes: _Planes, hues: int, saturations: int) -> tuple[_Values, _Values, _Values, _Values]:
    """Of each pixel the bin of its hue and of its saturation, the spread of its channels and the highest of them."""
    red, green, blue = planes
    high, low = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    spread = high - low
    sixth = np.where(
        high == red, green - blue, np.where(high == green, 2 * spread + blue - red, 4 * spread + red - green)
    )
    # in whole numbers, since a hue on the border of two bins must not depend on rounding
    whole = np.maximum(6 * spread, 1)
    hue = _quotient(np.where(sixth < 0, sixth + whole, sixth) * hues, whole)
    saturation = np.minimum(_quotient(spread * saturations, np.maximum(high, 1)), saturations - 1)
    return hue, saturation, spread, high


def _quotient(values: _Values, divisors: _Values) -> _Values:
    """`values // divisors` of values up to 32,767 and divisors up to 1,530: too few for rounding to reach the next."""
    return np.asarray(np.divide(values, divisors, dtype=np.float32), np.int16)


def _luma(planes: _Planes) -> NDArray[np.int32]:
    """Lightness of each pixel, 0…255, rounded as Pillow does."""
    red, green, blue = (plane.astype(np.int32) for plane in planes)
    return np.asarray((19595 * red + 38470 * green + 7471 * blue + (1 << 15)) >> 16, np.int32)


def _planes(pixels: Pixels) -> _Planes:
    """Red, green and blue of a batch [n, height, width, 3], each [n, height, width]."""
    red, green, blue = np.ascontiguousarray(np.moveaxis(pixels, -1, 0)).astype(np.int16)
    return red, green, blue


def _counts(bins: NDArray[np.signedinteger], dimension: int) -> NDArray[np.intp]:
    """How many pixels of each image [n, height, width] are in each of `dimension` bins, [n, dimension]."""
    count = len(bins)
    places = bins + dimension * np.arange(count, dtype=np.int32)[:, np.newaxis, np.newaxis]
    return np.bincount(places.ravel(), minlength=count * dimension).reshape(count, dimension)
