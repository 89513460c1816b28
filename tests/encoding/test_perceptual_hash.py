"""The perceptual hash of an image's bytes."""

import io

import imagehash
import numpy as np
import pytest
from PIL import Image

from pricematch.catalogue.hashes import ONE_COLOUR
from pricematch.encoding.decoder import DecodedImage, PillowDecoder
from pricematch.encoding.features import matching_hash, phash
from pricematch.errors import ImageCorrupt, ImageEmpty, ImageTooLarge, ImageTooSmall, ImageTypeUnsupported
from tests.support.fakes import STORED_AS, encoded, image_bytes, scene

DECODER = PillowDecoder(side=16, max_pixels=100_000, min_side=8)
SCENE = scene((200, 120))


def textured(size: tuple[int, int]) -> Image.Image:
    """An image of coarse random patches, whose hash no rounding changes."""
    patches = np.random.default_rng(3).integers(0, 256, (6, 8, 3), np.uint8)
    return Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_it_is_the_hash_the_library_gives_the_opened_file(name: str, mode: str) -> None:
    if (name, mode) == ("JPEG", "P"):
        return
    image = encoded(textured((200, 120)).convert(mode), name)
    with Image.open(io.BytesIO(image)) as opened:
        assert phash(DECODER.decoded(image)) == str(imagehash.phash(opened))


def test_no_pixel_is_seen_otherwise_than_by_the_library() -> None:
    """Of noise every hash is another one, and a grey that differs by one turns a bit of some."""
    for seed in range(300):
        rng = np.random.default_rng(seed)
        pixels = rng.integers(0, 256, (*rng.integers(8, 80, 2), 3), np.uint8)
        found = phash(DecodedImage(pixels, 1, halves=False))
        assert found == str(imagehash.phash(Image.fromarray(pixels)))


def test_it_is_sixteen_hexadecimal_digits() -> None:
    digits = phash(DECODER.decoded(encoded(SCENE)))
    assert len(digits) == 16
    assert set(digits) <= set("0123456789abcdef")


@pytest.mark.parametrize("orientation", STORED_AS)
def test_a_photo_stored_lying_has_the_upright_hash(orientation: int) -> None:
    turn = STORED_AS[orientation]
    stored = SCENE if turn is None else SCENE.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert phash(DECODER.decoded(encoded(stored, "PNG", exif=exif))) == phash(DECODER.decoded(encoded(SCENE)))


def test_what_is_transparent_is_hashed_on_white() -> None:
    clear = textured((64, 64)).convert("RGBA")
    clear.paste((9, 200, 9, 0), (0, 0, 32, 64))
    white = Image.alpha_composite(Image.new("RGBA", (64, 64), "white"), clear).convert("RGB")
    assert phash(DECODER.decoded(encoded(clear))) == phash(DECODER.decoded(encoded(white)))


def test_the_side_of_the_decoder_changes_nothing() -> None:
    image = encoded(textured((300, 300)), "JPEG")
    assert phash(PillowDecoder(8, 100_000).decoded(image)) == phash(PillowDecoder(256, 100_000).decoded(image))


@pytest.mark.parametrize(
    ("image", "error"),
    [
        (b"", ImageEmpty),
        (b"hello", ImageTypeUnsupported),
        (encoded(textured((64, 64)))[:300], ImageCorrupt),
        (image_bytes("red", (401, 250)), ImageTooLarge),
        (image_bytes("red", (7, 50)), ImageTooSmall),
    ],
)
def test_a_bad_image_is_refused_as_the_decoder_refuses_it(image: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        phash(DECODER.decoded(image))


def noisy(colour: int) -> bytes:
    """An image of one colour with noise, as a camera and a JPEG give it."""
    noise = np.random.default_rng(5).normal(colour, 3, (200, 200, 3)).clip(0, 255).astype(np.uint8)
    return encoded(Image.fromarray(noise), "JPEG", quality=60)


@pytest.mark.parametrize(
    "image",
    [
        image_bytes("white"),
        image_bytes("black", (1, 1)),
        image_bytes("red", (97, 61), "JPEG"),
        noisy(250),
        noisy(128),
        noisy(2),
        encoded(Image.new("RGBA", (50, 50), (9, 9, 9, 0))),
        encoded(Image.new("RGBA", (50, 50), (255, 255, 255, 90))),
    ],
    ids=["white", "black", "JPEG", "noisy white", "noisy grey", "noisy black", "nothing", "half transparent"],
)
def test_an_image_of_one_colour_is_matched_by_no_hash(image: bytes) -> None:
    """It shows nothing: fault C7."""
    assert matching_hash(PillowDecoder(16, 100_000).decoded(image)) == ONE_COLOUR


def test_a_fine_pattern_is_not_one_colour() -> None:
    """Its means are alike, its pixels are not: cloth shows something (fault C7)."""
    checks = Image.fromarray(np.indices((256, 256)).sum(axis=0).astype(np.uint8) % 2 * 200)
    assert not DECODER.decoded(encoded(checks)).one_colour()


@pytest.mark.parametrize("place", [(0, 0), (95, 40), (180, 99)])
def test_an_image_that_shows_little_has_a_hash(place: tuple[int, int]) -> None:
    """A small thing on white, and one with a white thing on nothing: fault C7."""
    little = Image.new("RGB", (200, 120), "white")
    little.paste((200, 200, 200), (*place, place[0] + 12, place[1] + 12))
    clear = Image.new("RGBA", (200, 120))
    clear.paste((255, 255, 255, 255), (*place, place[0] + 12, place[1] + 12))
    for image in (little, clear):
        decoded = DECODER.decoded(encoded(image))
        assert matching_hash(decoded) == phash(decoded)
