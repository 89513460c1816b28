"""How alike shades are, against a naive comparison, and of images in another light."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pricematch.encoding.colours import ShadeHistogram
from pricematch.pairs.shades import COLOURS, LIGHTNESSES, SHADES, shade_similarities
from tests.support.fakes import scene

SCENE = np.asarray(scene((96, 96)).convert("RGB"))


def similarity(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """How alike the shades of two images are."""
    first, second = ShadeHistogram().encode(np.stack([one, other]))
    return float(shade_similarities(first[np.newaxis], second[np.newaxis])[0])


def lit(factor: float) -> NDArray[np.uint8]:
    """A scene of middling colours in another light."""
    return np.clip(SCENE * (0.7 * factor) + 0.5, 0, 255).astype(np.uint8)


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The grey copy of an image."""
    return np.asarray(Image.fromarray(pixels).convert("L").convert("RGB"))


def plain(*channels: int) -> NDArray[np.uint8]:
    """A good of one colour on white."""
    pixels = np.full((40, 40, 3), 255, np.uint8)
    pixels[5:35, 5:35] = channels
    return pixels


def shares(seed: int, *, hues: bool = True) -> NDArray[np.float32]:
    """A histogram of random shares, the rarer half of which are 0."""
    drawn = np.random.default_rng(seed).random((LIGHTNESSES, 1 + COLOURS))
    drawn[drawn < 0.5] = 0
    drawn[:, 1:] *= hues
    return np.asarray(np.sqrt(drawn / drawn.sum()).ravel(), np.float32)


def naive(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The highest coefficient of both, and with either a step brighter."""
    first, second = (it.reshape(LIGHTNESSES, -1).astype(np.float64) ** 2 for it in (one, other))
    if not first[:, 1:].any() or not second[:, 1:].any():
        first, second = (it.sum(axis=1, keepdims=True) for it in (first, second))

    def brighter(shade: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([0 * shade[:1], shade[:-2], shade[-2:].sum(axis=0, keepdims=True)])

    pairs = (first, second, 1.0), (brighter(first), second, 0.96), (first, brighter(second), 0.96)
    return max(float(np.sqrt(a * b).sum()) * weight for a, b, weight in pairs)


def test_similarities_are_those_of_a_naive_comparison() -> None:
    every = np.stack([shares(seed, hues=seed % 3 > 0) for seed in range(9)])
    assert every.shape[1] == SHADES
    left, right = np.indices((9, 9)).reshape(2, -1)
    expected = [naive(every[one], every[other]) for one, other in zip(left, right, strict=True)]
    found = shade_similarities(every[left], every[right])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found, shade_similarities(every[right], every[left]), atol=1e-6)
    assert shade_similarities(every[:0], every[:0]).shape == (0,)


@pytest.mark.parametrize("factor", [0.7, 0.77, 1.3])
def test_another_light_hardly_makes_a_difference(factor: float) -> None:
    """A brighter and a darker copy have the colours of their original: fault C9."""
    assert similarity(lit(1), lit(factor)) > 0.93
    assert similarity(lit(1), lit(1)) == pytest.approx(1, abs=1e-5)


def test_a_grey_copy_has_no_hue_that_differs() -> None:
    """Its lightnesses are those of its original, and are compared alone: fault C9."""
    assert similarity(grey(lit(1)), lit(1)) > 0.99
    assert similarity(grey(plain(200, 30, 30)), plain(30, 30, 60)) < 0.75


@pytest.mark.parametrize("one", [(25, 25, 25), (110, 110, 110), (200, 30, 30)])
@pytest.mark.parametrize("other", [(240, 240, 240), (30, 160, 60), (30, 40, 180)])
def test_goods_of_other_colours_stay_different(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    """Black, grey, white and hues beside a little colour, as photos have: fault C9."""
    ours, theirs = plain(*one), plain(*other)
    for pixels in (ours, theirs):
        pixels[:3] = (230, 200, 170)
    assert similarity(ours, theirs) < 0.7
