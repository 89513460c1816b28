"""How much of a picture each colour takes: what a network that was taught to ignore colours cannot say."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.embeddings import Embeddings
from pricematch.encoding.ports import Pixels
from pricematch.stages import stage

HUES, SATURATIONS, VALUES = 16, 4, 4
BINS = "1"
"""Grows whenever the same pixels give another histogram, so that those kept from before are not mixed with new ones."""


class ColourHistogram:
    """Implements `ports.Encoder` without a network.

    An embedding holds the square roots of the shares of a picture's pixels in 16 × 4 × 4 bins of hue, saturation and
    value. It has unit length, and the cosine of two is the Bhattacharyya coefficient of both histograms: 1 for the same
    colours, 0 for none in common (Bhattacharyya 1943; Swain and Ballard, "Color Indexing", 1991, for histograms of
    colours as such).
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
        with stage("encode"):
            places = np.arange(count)[:, np.newaxis, np.newaxis] * self.dimension + _bins(pixels)
            counts = np.bincount(places.ravel(), minlength=count * self.dimension).reshape(count, self.dimension)
        return np.asarray(np.sqrt(counts / (height * width)), np.float32)


def _bins(pixels: Pixels) -> NDArray[np.intp]:
    """The bin of each pixel, [n, height, width]; hue, saturation, value as in Smith, "Color Gamut Transform Pairs"."""
    red, green, blue = np.moveaxis(pixels.astype(np.int32), -1, 0)
    high, low = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    spread = high - low
    sixth = np.where(
        high == red, green - blue, np.where(high == green, 2 * spread + blue - red, 4 * spread + red - green)
    )
    # in whole numbers, since a hue on the border of two bins must not depend on rounding
    hue = np.where(spread > 0, (sixth % np.maximum(6 * spread, 1)) * HUES // np.maximum(6 * spread, 1), 0)
    saturation = np.minimum(spread * SATURATIONS // np.maximum(high, 1), SATURATIONS - 1)
    value = high * VALUES // 256
    return np.asarray((hue * SATURATIONS + saturation) * VALUES + value, np.intp)
