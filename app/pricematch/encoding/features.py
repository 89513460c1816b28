"""Features of an image that no network computes: its perceptual hash, and how much of it each colour takes."""

from collections.abc import Mapping

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pricematch.catalogue.features import ONE_COLOUR, Embeddings
from pricematch.encoding.decoder import DecodedImage
from pricematch.encoding.ports import Pixels

HASHING = "phash-decoding3"
"""Names the hash and the way images are decoded for it in their own size; hashes of another are not taken for these."""
HUES, SATURATIONS, VALUES = 16, 4, 4
BINS = "1"
"""Grows whenever the same pixels give another histogram, so that those kept from before are not mixed with new ones."""


def phash(image: DecodedImage) -> str:
    """The 64-bit perceptual hash that the competition's column `image_phash` holds, by the library that made it.

    Of the upright image on white, so a photo and its copy that a camera stored lying have the same one. Where there is
    neither EXIF orientation nor transparency it is `imagehash.phash` of the file, as in the competition's data.

    Returns:
        16 hexadecimal digits, in lower case.
    """
    return str(imagehash.phash(Image.fromarray(image.upright())))


def matching_hash(image: DecodedImage) -> str:
    """The perceptual hash that postings are matched by, or `ONE_COLOUR` for an image that shows nothing."""
    return ONE_COLOUR if image.one_colour() else phash(image)


class ColourHistogram:
    """Implements `ports.Encoder` without a network, which may have been trained to ignore colours.

    An embedding holds the square roots of the shares of an image's pixels in 16 × 4 × 4 bins of hue, saturation and
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
