"""Histograms of colours against counting pixel by pixel."""

import colorsys
import math
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pricematch.encoding.colours import HUES, NOT_GREY, SATURATIONS, VALUES, ColourHistogram, ShadeHistogram
from pricematch.encoding.encoders import COLOURS
from pricematch.encoding.ports import Encoder
from pricematch.pairs import shades

NASTY = [
    np.zeros((4, 4, 3), np.uint8),
    np.full((4, 4, 3), 255, np.uint8),
    np.full((1, 1, 3), 128, np.uint8),
    np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [255, 0, 255]]], np.uint8),
    np.array([[[255, 0, 1], [255, 1, 0], [1, 0, 0], [64, 63, 63], [63, 64, 64], [192, 48, 48]]], np.uint8),
    np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8),
]


def bin_of(pixel: NDArray[np.uint8]) -> int:
    """The bin of one pixel, by the conversion of the standard library."""
    red, green, blue = (Fraction(int(channel), 255) for channel in pixel)
    hue, saturation, _ = colorsys.rgb_to_hsv(red, green, blue)  # type: ignore[arg-type]  # works on any number
    value = int(pixel.max()) // (256 // VALUES)
    return (int(hue * HUES) * SATURATIONS + min(int(saturation * SATURATIONS), SATURATIONS - 1)) * VALUES + value


@pytest.mark.parametrize("pixels", NASTY)
def test_an_embedding_holds_the_roots_of_the_shares_of_colours(pixels: NDArray[np.uint8]) -> None:
    counts = np.bincount([bin_of(pixel) for pixel in pixels.reshape(-1, 3)], minlength=HUES * SATURATIONS * VALUES)
    [found] = ColourHistogram().encode(pixels[np.newaxis])
    np.testing.assert_allclose(found, np.sqrt(counts / counts.sum()), atol=1e-6)
    assert np.linalg.norm(found) == pytest.approx(1)


def shares_of(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The shares of shades, pixel by pixel."""
    found = np.zeros((shades.LIGHTNESSES, 1 + shades.COLOURS))
    rows = pixels.reshape(-1, 3)
    coloured = np.ptp(rows, axis=1) >= NOT_GREY
    for pixel, hued in zip(rows, coloured & (coloured.mean() >= 0.01), strict=True):
        red, green, blue = (Fraction(int(channel), 255) for channel in pixel)
        hue, saturation, _ = colorsys.rgb_to_hsv(red, green, blue)  # type: ignore[arg-type]  # works on any number
        colour = int(hue * shades.HUES) * shades.SATURATIONS
        colour += min(int(saturation * shades.SATURATIONS), shades.SATURATIONS - 1)
        grey = Image.fromarray(pixel.reshape(1, 1, 3)).convert("L").getpixel((0, 0))
        assert isinstance(grey, int)
        step = (shades.LIGHTNESSES - 1) * math.log(max(grey, 16) / 16) / math.log(255 / 16)
        for place in range(shades.LIGHTNESSES):
            found[place, 1 + colour if hued else 0] += max(0.0, 1 - abs(step - place))
    return found.ravel() / len(rows)


@pytest.mark.parametrize("pixels", NASTY)
def test_shades_are_the_roots_of_shares_by_lightness(pixels: NDArray[np.uint8]) -> None:
    [found] = ShadeHistogram().encode(pixels[np.newaxis])
    np.testing.assert_allclose(found**2, shares_of(pixels), atol=1e-6)
    assert np.linalg.norm(found) == pytest.approx(1)


def test_a_hue_that_only_compression_made_is_none() -> None:
    """An image of greys with a spoilt pixel in two hundred has no hue: fault C9."""
    pixels = np.random.default_rng(3).integers(0, 256, (20, 20, 1)).astype(np.uint8).repeat(3, axis=2)
    pixels[0, :2] = (200, 100, 50)
    shares = ShadeHistogram().encode(pixels[np.newaxis]).reshape(shades.LIGHTNESSES, -1)
    assert not shares[:, 1:].any()


def test_no_hue_is_rounded_into_the_next_bin() -> None:
    """Of every sixth of the circle all hues of all spreads, and with them all saturations of the brightest pixels."""
    spread, part = (values.ravel() for values in np.meshgrid(np.arange(1, 256), np.arange(256)))
    spread, part = spread[part <= spread], part[part <= spread]
    levels = np.stack([np.full_like(spread, 255), 255 - spread + part, 255 - spread], axis=1)
    for order in permutations(range(3)):
        pixels = levels[:, order].astype(np.uint8)
        red, green, blue = pixels.T.astype(int)
        high, low = pixels.max(axis=1).astype(int), pixels.min(axis=1).astype(int)
        sixth = np.select(
            [high == red, high == green], [green - blue, 2 * spread + blue - red], 4 * spread + red - green
        )
        hue = sixth % (6 * spread) * HUES // (6 * spread)
        saturation = np.minimum((high - low) * SATURATIONS // high, SATURATIONS - 1)
        counts = np.bincount(
            (hue * SATURATIONS + saturation) * VALUES + VALUES - 1, minlength=HUES * SATURATIONS * VALUES
        )
        [found] = ColourHistogram().encode(pixels[np.newaxis, np.newaxis])
        np.testing.assert_array_equal(np.rint(found.astype(float) ** 2 * len(pixels)), counts)


@pytest.mark.parametrize("histogram", COLOURS.values())
def test_a_batch_is_embedded_as_each_image_alone(histogram: Encoder) -> None:
    batch = np.random.default_rng(1).integers(0, 256, (5, 8, 6, 3)).astype(np.uint8)
    found = histogram.encode(batch)
    assert found.shape == (5, histogram.dimension)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.concatenate([histogram.encode(pixels[np.newaxis]) for pixels in batch]))
    assert histogram.encode(batch[:0]).shape == (0, histogram.dimension)


def test_the_cosine_is_the_share_of_common_colours() -> None:
    red, blue = np.zeros((2, 8, 8, 3), np.uint8)
    red[..., 0], blue[..., 2] = 255, 255
    half = red.copy()
    half[:4] = blue[:4]
    one, other, both = ColourHistogram().encode(np.stack([red, blue, half]))
    assert (one @ other, one @ both) == (0, pytest.approx(0.5**0.5))


@pytest.mark.parametrize("histogram", COLOURS.values())
def test_where_things_are_in_an_image_does_not_matter(histogram: Encoder) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    one, other = histogram.encode(np.stack([pixels, pixels[::-1, ::-1]]))
    np.testing.assert_allclose(one, other, atol=1e-6)
