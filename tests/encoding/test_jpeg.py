"""The faster way to the pixels of an undamaged JPEG."""

import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from pricematch.encoding.decoder import PillowDecoder, decode_jpeg
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
    """An image with detail and colour."""
    width, height = size
    noise = np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture = Image.blend(scene(size), Image.fromarray(noise), 0.2)
    saved = io.BytesIO()
    picture.save(saved, "JPEG", **options)
    return saved.getvalue()


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_those_of_pillow_to_the_bit(size: tuple[int, int], options: dict[str, Any]) -> None:
    """Both call libjpeg-turbo, whatever the sampling of colours and the order of the scans."""
    image = jpeg(size, **options)
    found = decode_jpeg(image)
    assert found is not None
    np.testing.assert_array_equal(found, np.asarray(Image.open(io.BytesIO(image))))


@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_a_truncated_image_is_left_to_pillow(share: float) -> None:
    """Pillow says what is wrong, and accepts one that lacks its end marker only."""
    image = jpeg((201, 97), quality=90)
    assert decode_jpeg(image[: int(len(image) * share)]) is None


def test_bytes_that_are_no_jpeg_are_left_to_pillow() -> None:
    """Nothing is raised for them."""
    assert decode_jpeg(b"\x89PNG\r\n\x1a\n") is None


def test_the_decoder_gives_the_same_whichever_way_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedding does not depend on which library decoded."""
    decoder, image = PillowDecoder(64, 10**7), jpeg((333, 512), quality=80)
    fast = decoder.decode(image)
    monkeypatch.setattr("pricematch.encoding.decoder.decode_jpeg", lambda *_: None)
    np.testing.assert_array_equal(decoder.decode(image), fast)


@pytest.mark.parametrize("size", [(128, 128), (512, 300), (517, 301), (1030, 770)])
def test_a_large_one_is_what_libjpeg_gives_when_it_halves(size: tuple[int, int]) -> None:
    """Networks that were trained on such pixels see nearly the same; smaller ones are not halved."""
    image = jpeg(size, quality=90)
    picture = Image.open(io.BytesIO(image))
    picture.draft("RGB", (64, 64))
    scaled = cv2.resize(np.asarray(picture), (64, 64), interpolation=interpolation(picture.size))
    found = PillowDecoder(64, 10**7).decode(image)
    assert np.abs(found.astype(int) - scaled).mean() < 2


def test_the_pixels_for_one_network_do_not_depend_on_those_for_others() -> None:
    """What was halved for one is taken by the others; each is as if it were alone."""
    decoder, image = PillowDecoder(1, 10**7), jpeg((517, 301), quality=90)
    alone = {side: decoder.decoded(image).squeezed(side) for side in (300, 128, 64, 32)}
    for sides in (alone, reversed(alone)):
        decoded = decoder.decoded(image)
        for side in sides:
            np.testing.assert_array_equal(decoded.squeezed(side), alone[side])


@pytest.mark.parametrize("size", [(64, 200), (127, 300), (64, 127)])
def test_an_image_below_twice_the_side_is_not_scaled(size: tuple[int, int]) -> None:
    """As any other format is, to the bit."""
    image = jpeg(size, quality=90)
    whole = np.asarray(Image.open(io.BytesIO(image)))
    expected = cv2.resize(whole, (64, 64), interpolation=interpolation(size))
    np.testing.assert_array_equal(PillowDecoder(64, 10**7).decode(image), expected)


def interpolation(size: tuple[int, int]) -> int:
    """OpenCV's way from an image of this size to 64 pixels a side."""
    return cv2.INTER_AREA if max(size) > 128 else cv2.INTER_LINEAR
