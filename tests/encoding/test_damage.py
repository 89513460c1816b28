"""What a truncated image lacks."""

import re
from collections.abc import Mapping

import numpy as np
import pytest
from PIL import Image

from pricematch.encoding.decoder import PillowDecoder
from pricematch.errors import ImageCorrupt
from tests.support.fakes import encoded, image_bytes

DECODER = PillowDecoder(16, 1_000_000)
NOISE = Image.fromarray(np.random.default_rng(4).integers(0, 256, (64, 64, 3), np.uint8))
JPEGS: Mapping[str, bytes] = {
    "RGB": encoded(NOISE, "JPEG"),
    "grey": encoded(NOISE.convert("L"), "JPEG"),
    "CMYK": encoded(NOISE.convert("CMYK"), "JPEG"),
    "progressive": encoded(NOISE, "JPEG", progressive=True),
    "with restart markers": encoded(NOISE, "JPEG", restart_marker_rows=1),
    "of one colour": image_bytes("#808080", format="JPEG"),
}


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("cut", [1, 2])
def test_a_jpeg_without_its_end_marker_is_accepted(name: str, cut: int) -> None:
    """All rows are there, and they are the same: fault C10."""
    whole = JPEGS[name]
    np.testing.assert_array_equal(DECODER.upright(whole[:-cut]), DECODER.upright(whole))


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
@pytest.mark.parametrize("name", ["RGB", "grey", "CMYK", "with restart markers"])
def test_a_truncated_jpeg_is_told_with_the_share_that_lacks(name: str, end: bytes) -> None:
    """Also where a program has put an end marker behind it: fault C10."""
    whole = JPEGS[name]
    for share in (0.4, 0.6, 0.8):
        with pytest.raises(ImageCorrupt, match="of its rows are lacking") as caught:
            DECODER.decoded(whole[: int(len(whole) * share)] + end)
        [percent] = re.findall(r"about (\d+) %", str(caught.value))
        assert abs(int(percent) - 100 * (1 - share)) < 20


def test_a_jpeg_that_lacks_its_last_blocks_only_is_refused() -> None:
    """A hundredth of its rows at least: fault C10."""
    with pytest.raises(ImageCorrupt, match="about 1 % of its rows are lacking"):
        DECODER.decoded(JPEGS["RGB"][:-4])


def test_a_truncated_progressive_jpeg_is_told_so() -> None:
    """All rows are there, without their detail: fault C10."""
    with pytest.raises(ImageCorrupt, match="before the last detail"):
        DECODER.decoded(JPEGS["progressive"][:-40])


@pytest.mark.parametrize("cut", [1, 4, 12, 16])
def test_a_png_without_its_end_is_accepted(cut: int) -> None:
    """The last chunk holds nothing: fault C10."""
    whole = encoded(NOISE)
    np.testing.assert_array_equal(DECODER.upright(whole[:-cut]), DECODER.upright(whole))


def test_a_gif_without_its_trailer_is_accepted() -> None:
    """All rows are there: fault C10."""
    whole = encoded(NOISE, "GIF")
    np.testing.assert_array_equal(DECODER.upright(whole[:-1]), DECODER.upright(whole))


@pytest.mark.parametrize(("name", "what"), [("PNG", "rows"), ("WEBP", "bytes"), ("BMP", "bytes"), ("AVIF", "bytes")])
@pytest.mark.parametrize("share", [0.7, 0.9])
def test_another_truncated_image_is_told_with_the_share_that_lacks(name: str, what: str, share: float) -> None:
    """Where the file says what it should hold: fault C10."""
    whole = encoded(NOISE, name)
    with pytest.raises(ImageCorrupt, match=f"of its {what} are lacking") as caught:
        DECODER.decoded(whole[: int(len(whole) * share)])
    [percent] = re.findall(r"about (\d+) %", str(caught.value))
    assert abs(int(percent) - 100 * (1 - share)) < 5
