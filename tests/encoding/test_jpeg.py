"""The faster way to the pixels of an undamaged JPEG."""

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.jpeg import decode_undamaged
from tests.support.fakes import scene

SIZES = [(64, 64), (201, 97), (333, 512), (1030, 770)]
WAYS: list[dict[str, Any]] = [
    {"quality": 90},
    {"quality": 30, "subsampling": 0},
    {"quality": 75, "subsampling": 1},
    {"quality": 75, "progressive": True},
    {"quality": 75, "restart_marker_rows": 1},
]


def jpeg(size: tuple[int, int], **options: Any) -> bytes:
    """A picture with detail and colour."""
    width, height = size
    noise = np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = Image.blend(scene(size), Image.fromarray(noise), 0.2)
    saved = io.BytesIO()
    picture.save(saved, "JPEG", **options)
    return saved.getvalue()


def by_pillow(image: bytes, side: int) -> NDArray[np.uint8]:
    """Pillow's pixels, halved while decoding down to no less than `side`."""
    picture = Image.open(io.BytesIO(image))
    picture.draft("RGB", (side, side))
    return np.asarray(picture)


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("side", [32, 128, 256])
def test_pixels_are_those_of_pillow_to_the_bit(size: tuple[int, int], options: dict[str, Any], side: int) -> None:
    image = jpeg(size, **options)
    expected = by_pillow(image, side)
    height, width, _ = expected.shape
    found = decode_undamaged(image, width, height)
    assert found is not None
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_a_truncated_picture_is_left_to_pillow(share: float) -> None:
    image = jpeg((201, 97), quality=90)
    assert decode_undamaged(image[: int(len(image) * share)], 201, 97) is None


def test_a_size_that_no_halving_gives_is_left_to_pillow() -> None:
    assert decode_undamaged(jpeg((201, 97)), 202, 97) is None


def test_bytes_that_are_no_jpeg_are_left_to_pillow() -> None:
    assert decode_undamaged(b"\x89PNG\r\n\x1a\n", 1, 1) is None


def test_the_decoder_gives_the_same_whichever_way_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder, image = PillowDecoder(64, 10**7), jpeg((333, 512), quality=80)
    fast = decoder.decode(image)
    monkeypatch.setattr("pricematch.encoding.decoder.decode_undamaged", lambda *_: None)
    np.testing.assert_array_equal(decoder.decode(image), fast)
