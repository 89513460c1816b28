"""How much of an image each colour takes, which no network computes, and which one may have been trained to ignore.

Histograms of colours as such: Swain and Ballard, "Color Indexing", 1991; hue, saturation and value as in Smith, "Color
Gamut Transform Pairs", 1978.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.encoding.ports import Pixels
from pricematch.pairs import shades

HUES, SATURATIONS, VALUES = 16, 4, 4
NOT_GREY = 3
"""By how many values of 255 the channels of a pixel with a hue differ, at least: rounding makes less of grey."""
_FEW = 0.01
"""Share of the pixels of a grey image that may have a hue, from a compressed edge."""
_DARKEST = 16
"""Darker pixels count as this dark: of so few values ratios are noise."""


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

    def encode(self, pixels: Pixels) -> Embeddings:
        """Embeddings [n, 256] of a batch [n, height, width, 3]; height and width are at least 1."""
        count, height, width, _ = pixels.shape
        hue, saturation, _, high = _hsv(pixels, HUES, SATURATIONS)
        bins = (hue * SATURATIONS + saturation) * VALUES + high * VALUES // 256
        return _roots(_places(bins, self.dimension), np.ones(bins.size), (count, self.dimension), height * width)


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

    def encode(self, pixels: Pixels) -> Embeddings:
        """Embeddings [n, `SHADES`] of a batch [n, height, width, 3]; height and width are at least 1."""
        count, height, width, _ = pixels.shape
        hue, saturation, spread, _ = _hsv(pixels, shades.HUES, shades.SATURATIONS)
        coloured = spread >= NOT_GREY
        coloured &= coloured.mean(axis=(1, 2), keepdims=True) >= _FEW
        colour = np.where(coloured, 1 + hue * shades.SATURATIONS + saturation, shades.GREY)
        scale = _lightness_scale()[_luma(pixels)]
        below = np.minimum(scale.astype(np.intp), shades.LIGHTNESSES - 2)
        steps = np.stack([below, below + 1], axis=1)
        weights = np.stack([1 + below - scale, scale - below], axis=1)
        bins = steps * (1 + shades.COLOURS) + colour[:, np.newaxis]
        return _roots(_places(bins, self.dimension), weights, (count, self.dimension), height * width)


def _hsv(
    pixels: Pixels, hues: int, saturations: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Of each pixel the bin of its hue and of its saturation, the spread of its channels and the highest of them."""
    red, green, blue = np.moveaxis(pixels.astype(np.intp), -1, 0)
    high, low = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    spread = high - low
    sixth = np.where(
        high == red, green - blue, np.where(high == green, 2 * spread + blue - red, 4 * spread + red - green)
    )
    # in whole numbers, since a hue on the border of two bins must not depend on rounding
    hue = np.where(spread > 0, (sixth % np.maximum(6 * spread, 1)) * hues // np.maximum(6 * spread, 1), 0)
    saturation = np.minimum(spread * saturations // np.maximum(high, 1), saturations - 1)
    return hue, saturation, spread, high


def _luma(pixels: Pixels) -> NDArray[np.intp]:
    """Lightness of each pixel, 0…255, rounded as Pillow does."""
    return np.asarray((pixels.astype(np.intp) @ np.array([19595, 38470, 7471]) + (1 << 15)) >> 16, np.intp)


def _lightness_scale() -> NDArray[np.float64]:
    """Where each of 256 lightnesses lies on the scale of steps, 0 … `LIGHTNESSES` − 1."""
    ratio = np.maximum(np.arange(256), _DARKEST) / _DARKEST
    return np.asarray(np.log(ratio) / np.log(255 / _DARKEST) * (shades.LIGHTNESSES - 1), np.float64)


def _places(bins: NDArray[np.intp], dimension: int) -> NDArray[np.intp]:
    """The place of each bin in the histograms of a batch, which stand behind each other."""
    return bins + np.arange(len(bins)).reshape(-1, *[1] * (bins.ndim - 1)) * dimension


def _roots(places: NDArray[np.intp], weights: NDArray[np.float64], shape: tuple[int, int], pixels: int) -> Embeddings:
    """The square roots of the shares of pixels that lie at each place, float32 of this shape."""
    counts = np.bincount(places.ravel(), weights.ravel(), shape[0] * shape[1]).reshape(shape)
    return np.asarray(np.sqrt(counts / pixels), np.float32)
