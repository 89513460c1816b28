"""Every mode and transparency against what the values of a file mean."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from pricematch.encoding.decoder import PillowDecoder
from pricematch.errors import ImageTypeUnsupported
from tests.support.fakes import encoded
from tests.support.image_modes import CASES, GROUND, SIDE, WHITE, shown

DECODER = PillowDecoder(SIDE, max_pixels=1_000_000)


@pytest.mark.parametrize("name", CASES)
def test_what_a_file_shows_is_what_its_values_mean(name: str) -> None:
    """On white as documented: fault C8."""
    case = CASES[name]
    found = DECODER.upright(case.image)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - case.expected).max() <= case.within


@pytest.mark.parametrize("mode", ["I", "F"])
def test_deeper_values_are_refused_with_what_to_do(mode: str) -> None:
    """Their range is not known: fault C8."""
    with pytest.raises(ImageTypeUnsupported, match="convert it to 8 bits"):
        DECODER.upright(encoded(Image.new(mode, (SIDE, SIDE)), "TIFF"))


# --- the ground --------------------------------------------------------------------------------------------------


def drawn(colour: tuple[int, int, int], alpha: int = 255) -> Callable[[str], Image.Image]:
    """Makes images of something in a colour on nothing, by what it is."""
    y, x = np.mgrid[:SIDE, :SIDE]
    shapes = {
        "circle": (x - 8) ** 2 + (y - 8) ** 2 <= 25,
        "rectangle": (abs(x - 8) <= 6) & (abs(y - 8) <= 2),
        "nothing": np.zeros((SIDE, SIDE), bool),
        "everything": np.ones((SIDE, SIDE), bool),
    }

    def make(shape: str) -> Image.Image:
        pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
        pixels[shapes[shape]] = (*colour, alpha)
        return Image.fromarray(pixels)

    return make


@pytest.mark.parametrize("colour", [(255, 255, 255), (250, 248, 245), (240, 240, 240)])
@pytest.mark.parametrize("alpha", [255, 100])
def test_white_on_nothing_is_seen_on_grey(colour: tuple[int, int, int], alpha: int) -> None:
    """A circle and a rectangle do not look the same: fault C7."""
    for shape in ("circle", "rectangle"):
        image = drawn(colour, alpha)(shape)
        pixels = np.asarray(image)
        np.testing.assert_allclose(
            DECODER.upright(encoded(image)), shown(pixels[:, :, :3], pixels[:, :, 3], GROUND), atol=1
        )


@pytest.mark.parametrize("colour", [(230, 230, 230), (255, 255, 200), (0, 0, 0)])
def test_what_is_seen_on_white_stays_on_white(colour: tuple[int, int, int]) -> None:
    """Most transparent images look as before: fault C7."""
    image = drawn(colour)("circle")
    pixels = np.asarray(image)
    np.testing.assert_array_equal(DECODER.upright(encoded(image)), shown(pixels[:, :, :3], pixels[:, :, 3]))


def test_a_soft_shadow_keeps_a_white_thing_on_white() -> None:
    """Something of it is seen there: fault C7."""
    pixels = np.asarray(drawn((255, 255, 255))("rectangle")).copy()
    pixels[12:14, 2:15] = (0, 0, 0, 60)
    found = DECODER.upright(encoded(Image.fromarray(pixels)))
    np.testing.assert_allclose(found, shown(pixels[:, :, :3], pixels[:, :, 3]), atol=1)


@pytest.mark.parametrize("shape", ["nothing", "everything"])
def test_nothing_and_all_in_white_are_white(shape: str) -> None:
    """There is nothing to be seen on grey: fault C7."""
    assert (DECODER.upright(encoded(drawn((255, 255, 255))(shape))) == WHITE).all()
