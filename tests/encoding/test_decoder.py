"""From the bytes of an image to pixels (rows 1 to 14 of the table of faults)."""

import io
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.image_formats import MEDIA_TYPES, TOP_BYTES, media_type
from pricematch.encoding.ports import Header, Pixels
from pricematch.errors import ImageCorrupt, ImageEmpty, ImageError, ImageTooLarge, ImageTooSmall, ImageTypeUnsupported
from tests.support.fakes import STORED_AS, encoded, image_bytes, scene
from tests.support.odd_images import MAGIC_NUMBERS

# the command line ignores them too: damaged metadata of an image is nobody's concern
pytestmark = pytest.mark.filterwarnings(r"ignore:::PIL\.")

SIDE = 16
DECODER = PillowDecoder(SIDE, max_pixels=25_000_000, min_side=8)
LOSSLESS = ("PNG", "BMP", "TIFF")
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
SCENE = scene((64, 48))


def difference(one: Pixels, other: Pixels) -> float:
    """Mean absolute difference of two images, 0…255."""
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def area_means(image: Image.Image) -> Pixels:
    """The mean of each cell of an image whose sides are multiples of `SIDE`."""
    pixels = np.asarray(image.convert("RGB"), np.float64)
    height, width = pixels.shape[0] // SIDE, pixels.shape[1] // SIDE
    means: Pixels = np.rint(pixels.reshape(SIDE, height, SIDE, width, 3).mean(axis=(1, 3))).astype(np.uint8)
    return means


# --- formats -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_scene(name: str) -> None:
    pixels = DECODER.decode(encoded(SCENE, name))
    assert pixels.shape == (SIDE, SIDE, 3)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    allowed = 0.6 if name in LOSSLESS else 12 if name == "GIF" else 5  # GIF has 256 colours
    assert difference(pixels, area_means(SCENE)) < allowed


@pytest.mark.parametrize("name", FORMATS)
def test_the_media_type_is_known_by_content(name: str) -> None:
    assert media_type(encoded(SCENE, name)[:TOP_BYTES]) == MEDIA_TYPES[name] == f"image/{name.lower()}"


def test_an_image_of_exactly_the_side_is_not_resampled() -> None:
    small = scene((SIDE, SIDE))
    np.testing.assert_array_equal(DECODER.decode(encoded(small)), np.asarray(small))


def test_a_smaller_image_is_enlarged_and_one_colour_stays_one_colour() -> None:
    pixels = DECODER.decode(image_bytes("#123456", (9, 8)))
    assert (pixels == (0x12, 0x34, 0x56)).all()


def test_every_source_pixel_of_a_large_image_counts() -> None:
    # a checkerboard of single pixels, whose mean is grey: skipping pixels would give black or white
    board = np.indices((160, 160)).sum(axis=0) % 2 * 255
    pixels = DECODER.decode(encoded(Image.fromarray(board.astype(np.uint8))))
    assert difference(pixels, np.full_like(pixels, 127)) <= 1


def test_a_large_jpeg_scaled_by_its_decoder_is_the_same_scene() -> None:
    large = scene((640, 480))
    assert difference(DECODER.decode(encoded(large, "JPEG", quality=95)), area_means(large)) < 3


def test_a_jpeg_is_not_scaled_by_its_decoder_below_the_side() -> None:
    # four source pixels a side for each of the result: a decoder that leaves out more would mix black with white
    board = np.indices((16, 16)).sum(axis=0) % 2 * 255
    cells = Image.fromarray(board.astype(np.uint8)).resize((64, 64), Image.Resampling.NEAREST)
    assert difference(DECODER.decode(encoded(cells, "JPEG", quality=95)), area_means(cells)) < 10


def test_a_jpeg_of_many_images_gives_its_first() -> None:
    content = encoded(SCENE, "MPO", save_all=True, append_images=[Image.new("RGB", SCENE.size, "red")])
    assert difference(DECODER.decode(content), area_means(SCENE)) < 5
    assert media_type(content[:TOP_BYTES]) == "image/jpeg"


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_fault_10_an_animation_gives_its_first_frame(name: str) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("lime", "red", "blue")]
    pixels = DECODER.decode(encoded(frames[0], name, save_all=True, append_images=frames[1:]))
    assert difference(pixels, np.full_like(pixels, (0, 255, 0))) < 4


def second_frame(animation: Image.Image) -> None:
    animation.seek(1)
    animation.load()


@pytest.mark.parametrize("name", ["GIF", "PNG"])
def test_fault_10_a_broken_second_frame_is_never_looked_at(name: str) -> None:
    noise = [Image.fromarray(np.random.default_rng(n).integers(0, 256, (32, 32), np.uint8)) for n in range(2)]
    whole = encoded(noise[0], name, save_all=True, append_images=noise[1:])
    cut = whole[: len(whole) * 3 // 4]
    with Image.open(io.BytesIO(cut)) as animation, pytest.raises((OSError, EOFError, SyntaxError)):
        second_frame(animation)
    np.testing.assert_array_equal(DECODER.decode(cut), DECODER.decode(whole))


# --- colours -----------------------------------------------------------------------------------------------------


def test_fault_11_cmyk_is_shown_in_rgb() -> None:
    assert difference(DECODER.decode(encoded(SCENE.convert("CMYK"), "JPEG", quality=95)), area_means(SCENE)) < 5
    assert difference(DECODER.decode(encoded(SCENE.convert("CMYK"), "TIFF")), area_means(SCENE)) < 2


def test_sixteen_bits_of_grey_become_eight() -> None:
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    eight = Image.fromarray((ramp >> 8).astype(np.uint8))
    for name in ("PNG", "TIFF"):
        assert difference(DECODER.decode(encoded(Image.fromarray(ramp), name)), area_means(eight)) < 1


def test_one_bit_is_black_and_white() -> None:
    half = Image.new("1", (64, 64), 0)
    half.paste(1, (32, 0, 64, 64))
    for name in ("PNG", "TIFF", "BMP"):
        pixels = DECODER.decode(encoded(half, name))
        assert (pixels[:, : SIDE // 2] == 0).all()
        assert (pixels[:, SIDE // 2 :] == 255).all()


def test_palette_and_grey_images_are_shown_in_rgb() -> None:
    palette = SCENE.quantize(64)
    assert difference(DECODER.decode(encoded(palette)), area_means(palette)) < 1
    grey = SCENE.convert("L")
    assert difference(DECODER.decode(encoded(grey)), area_means(grey)) < 1


def half_clear(size: tuple[int, int]) -> Image.Image:
    """The left half is clear (over black), the right half is red."""
    clear = Image.new("RGBA", size, (0, 0, 0, 0))
    clear.paste((255, 0, 0, 255), (size[0] // 2, 0, *size))
    return clear


def palette_half_clear(size: tuple[int, int]) -> bytes:
    image = Image.new("P", size, 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.paste(1, (size[0] // 2, 0, *size))
    return encoded(image, transparency=0)


def rgb_half_clear(size: tuple[int, int]) -> bytes:
    return encoded(half_clear(size).convert("RGB"), transparency=(0, 0, 0))


@pytest.mark.parametrize("size", [(32, 32), (512, 256)])
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda size: encoded(half_clear(size)), id="RGBA PNG"),
        pytest.param(lambda size: encoded(half_clear(size), "WEBP", lossless=True), id="WebP"),
        pytest.param(lambda size: encoded(half_clear(size), "GIF"), id="GIF"),
        pytest.param(lambda size: encoded(half_clear(size), "TIFF"), id="TIFF"),
        pytest.param(palette_half_clear, id="palette PNG"),
        pytest.param(rgb_half_clear, id="RGB PNG with a clear colour"),
    ],
)
def test_fault_11_what_is_clear_is_white(make: Callable[[tuple[int, int]], bytes], size: tuple[int, int]) -> None:
    pixels = DECODER.decode(make(size))
    assert (pixels[:, : SIDE // 2 - 1] == 255).all()
    assert (pixels[:, SIDE // 2 + 1 :] == (255, 0, 0)).all()


@pytest.mark.slow
def test_a_large_clear_image_is_shrunk_before_it_is_composited(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, int]] = []
    composite = Image.alpha_composite

    def noted(below: Image.Image, above: Image.Image) -> Image.Image:
        sizes.append(above.size)
        return composite(below, above)

    monkeypatch.setattr(Image, "alpha_composite", noted)
    decoder = PillowDecoder(SIDE, 10**7)
    decoder.decode(encoded(half_clear((2047, 2500))))
    decoder.decode(encoded(half_clear((3100, 3072))))
    assert sizes == [(2047, 2500), (-(-3100 // 3), 1024)]  # the shorter side to no less than 1,024


def test_grey_with_alpha_is_blended_with_white() -> None:
    pixels = DECODER.decode(encoded(Image.new("LA", (32, 32), (100, 51))))  # 51 of 255: a fifth
    assert np.abs(pixels.astype(int) - (100 / 5 + 255 * 4 / 5)).max() <= 1


@pytest.mark.parametrize("mode", ["F", "I"])
def test_fault_11_thirty_two_bits_a_channel_are_refused(mode: str) -> None:
    with pytest.raises(ImageTypeUnsupported, match="expected at most 16 bits a channel"):
        DECODER.decode(encoded(Image.new(mode, (32, 32)), "TIFF"))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(encoded(SCENE.convert("YCbCr"), "TIFF"), id="YCbCr TIFF"),
        pytest.param(encoded(SCENE, "JPEG", progressive=True), id="progressive JPEG"),
        pytest.param(encoded(SCENE.convert("RGBA")), id="opaque PNG with alpha"),
    ],
)
def test_fault_11_other_ways_to_store_colours_give_the_scene(content: bytes) -> None:
    assert difference(DECODER.decode(content), area_means(SCENE)) < 5


# --- metadata ----------------------------------------------------------------------------------------------------


def held(orientation: int) -> tuple[Image.Image, Image.Exif]:
    """The scene as such a camera stores it, and the EXIF data that says so."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    method = STORED_AS.get(orientation)
    return (SCENE if method is None else SCENE.transpose(method)), exif


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_fault_12_the_eight_ways_to_hold_a_camera_give_one_image(name: str, orientation: int) -> None:
    stored, exif = held(orientation)
    content = encoded(stored, name, exif=exif)
    with Image.open(io.BytesIO(content)) as opened:  # the test's own image is right, says Pillow
        assert difference(np.asarray(ImageOps.exif_transpose(opened).convert("RGB")), np.asarray(SCENE)) < 8
    assert difference(DECODER.decode(content), DECODER.decode(encoded(SCENE, name))) < 3


def test_a_compressed_tiff_is_turned_upright_once_too() -> None:
    stored, exif = held(6)
    content = encoded(stored, "TIFF", exif=exif, compression="tiff_lzw")
    assert difference(DECODER.decode(content), DECODER.decode(encoded(SCENE))) < 1


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(orientation: int) -> None:
    content = encoded(SCENE, exif=held(orientation)[1])
    np.testing.assert_array_equal(DECODER.decode(content), DECODER.decode(encoded(SCENE)))


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0garbage",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x02\0\0\0x\0\0\0\0\0\0\0",
    ],
    ids=["garbage", "offset beyond", "no end", "orientation as text"],
)
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_fault_12_broken_exif_data_is_ignored(name: str, exif: bytes) -> None:
    np.testing.assert_array_equal(DECODER.decode(encoded(SCENE, name, exif=exif)), DECODER.decode(encoded(SCENE, name)))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("whole", [True, False])
def test_fault_13_a_colour_profile_is_not_applied_whole_or_damaged(name: str, whole: bool) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() if whole else b"no profile"
    content = encoded(SCENE, name, icc_profile=profile)
    np.testing.assert_array_equal(DECODER.decode(content), DECODER.decode(encoded(SCENE, name)))


# --- what is refused ---------------------------------------------------------------------------------------------


def test_no_bytes_are_an_empty_image() -> None:
    with pytest.raises(ImageEmpty):
        DECODER.decode(b"")


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as content:
        content.writestr("script.sh", "exit 1")
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"/>', id="SVG"),
        pytest.param(b'<?xml version="1.0"?><!DOCTYPE svg><svg/>', id="SVG with prolog"),
        pytest.param(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", id="PDF"),
        pytest.param(b"<!doctype html><html></html>", id="HTML"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", id="EPS"),
        pytest.param(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", id="HEIC"),
        pytest.param(archive(), id="ZIP"),
        pytest.param(encoded(SCENE, "PPM"), id="PPM, which Pillow could read"),
        pytest.param(encoded(SCENE, "ICO"), id="ICO, which Pillow could read"),
        pytest.param(b"hello", id="text"),
        pytest.param(b"\0" * 100, id="zeros"),
        pytest.param(b"\xff", id="one byte"),
    ],
)
def test_what_is_no_image_format_of_ours_is_refused_by_content(content: bytes) -> None:
    with pytest.raises(ImageTypeUnsupported, match="expected JPEG, PNG, WEBP, GIF, BMP, TIFF"):
        DECODER.decode(content)
    with pytest.raises(ImageTypeUnsupported):
        media_type(content[:TOP_BYTES])


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_image_is_corrupt(name: str, share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    whole = encoded(noise, name)
    DECODER.decode(whole)
    with pytest.raises(ImageCorrupt):
        DECODER.decode(whole[: int(len(whole) * share)])


@pytest.mark.parametrize(
    "magic", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBP", b"GIF89a", b"BM", b"II*\0", b"MM\0*"]
)
@pytest.mark.parametrize("garbage", [b"", b"garbage " * 40, bytes(range(1, 256)), b"\0" * 300])
def test_garbage_behind_a_magic_number_is_refused(magic: bytes, garbage: bytes) -> None:
    with pytest.raises((ImageCorrupt, ImageTooLarge, ImageTooSmall)):
        DECODER.decode(magic + garbage)


@pytest.mark.parametrize("kind", sorted(MAGIC_NUMBERS))
@pytest.mark.parametrize(
    "garbage",
    [b"", b"\0" * 500, bytes(range(256)) * 4, b"garbage " * 40],
    ids=["nothing", "zeros", "all bytes", "words"],
)
def test_fault_03_garbage_behind_a_right_beginning_is_corrupt(kind: str, garbage: bytes) -> None:
    """It is not taken for another type."""
    with pytest.raises(ImageCorrupt):
        DECODER.decode(MAGIC_NUMBERS[kind] + garbage)


# --- size --------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG file that says it has this size, with no pixels to speak of."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IDAT", b"garbage") + chunk(b"IEND", b"")


def gif(width: int, height: int) -> bytes:
    """A small GIF whose header says another size."""
    whole = bytearray(image_bytes("red", (8, 8), "GIF"))
    whole[6:10] = struct.pack("<HH", width, height)
    return bytes(whole)


def webp(width: int, height: int) -> bytes:
    """A small lossless WebP whose header says another size."""
    whole = bytearray(image_bytes("red", (8, 8), "WEBP", lossless=True))
    start = whole.index(b"VP8L") + 9
    bits = int.from_bytes(whole[start : start + 4], "little") >> 28 << 28
    whole[start : start + 4] = (bits | (height - 1) << 14 | (width - 1)).to_bytes(4, "little")
    return bytes(whole)


def avif(width: int, height: int) -> bytes:
    """A small AVIF whose box of sizes says another one."""
    whole = bytearray(image_bytes("red", (8, 8), "AVIF"))
    start = whole.index(b"ispe") + 8
    whole[start : start + 8] = struct.pack(">II", width, height)
    return bytes(whole)


def tiff(width: int, height: int) -> bytes:
    """A TIFF of one strip whose header says this size, deflated."""
    strip = zlib.compress(bytes(1000))
    tags = {256: width, 257: height, 258: 8, 259: 8, 262: 1, 273: 8, 277: 1, 278: height, 279: len(strip)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<2sHI", b"II", 42, 8 + len(strip)) + strip + struct.pack("<H", len(tags)) + entries + bytes(4)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(tiff(60_000, 60_000), id="TIFF of 60,000²"),
        pytest.param(png(50_000, 50_000), id="PNG of 50,000 × 50,000"),
        pytest.param(png(7_000, 7_000), id="PNG of 49 megapixels"),
        pytest.param(gif(65_535, 65_535), id="GIF of 65,535²"),
        pytest.param(webp(16_383, 16_383), id="WebP of 16,383²"),
        pytest.param(webp(7_000, 7_000), id="WebP of 49 megapixels"),
        pytest.param(avif(7_000, 7_000), id="AVIF of 49 megapixels"),
    ],
)
def test_too_many_pixels_are_refused_from_the_header_before_decoding(content: bytes) -> None:
    assert len(content) < 1000
    tracemalloc.start()
    try:
        with pytest.raises(ImageTooLarge):
            DECODER.decode(content)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_pixels_beyond_the_limit_are_refused() -> None:
    content = image_bytes("red", (40, 25))
    PillowDecoder(SIDE, max_pixels=1000).decode(content)
    with pytest.raises(ImageTooLarge, match="expected at most 999 pixels, got 40 × 25"):
        PillowDecoder(SIDE, max_pixels=999).decode(content)


@pytest.mark.parametrize("size", [(1, 1), (7, 100), (100, 7)])
def test_a_side_below_the_limit_is_too_small(size: tuple[int, int]) -> None:
    with pytest.raises(ImageTooSmall, match="expected at least 8 pixels a side"):
        DECODER.decode(image_bytes("red", size))


@pytest.mark.parametrize("size", [(1, 1), (1, 19_999), (19_999, 1)])
def test_where_small_images_are_allowed_they_are_one_colour_still(size: tuple[int, int]) -> None:
    pixels = PillowDecoder(SIDE, max_pixels=25_000_000).decode(image_bytes("red", size))
    assert (pixels == (255, 0, 0)).all()


# --- its own size --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOSSLESS)
def test_upright_pixels_are_all_there_are(name: str) -> None:
    pixels = DECODER.upright(encoded(SCENE, name))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.asarray(SCENE))


@pytest.mark.parametrize("name", ["JPEG", "WEBP"])
def test_upright_pixels_are_those_pillow_decodes(name: str) -> None:
    content = encoded(scene((300, 200)), name)
    with Image.open(io.BytesIO(content)) as opened:
        np.testing.assert_array_equal(DECODER.upright(content), np.asarray(opened.convert("RGB")))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_is_how_the_camera_was_held(name: str, orientation: int) -> None:
    stored, exif = held(orientation)
    content = encoded(stored, name, exif=exif)
    pixels = DECODER.upright(content)
    assert pixels.shape == (SCENE.height, SCENE.width, 3)
    assert difference(pixels, np.asarray(SCENE)) < 5
    assert DECODER.header(content) == Header(f"image/{name.lower()}", SCENE.width, SCENE.height)


def test_upright_pixels_of_a_transparent_image_stand_on_white() -> None:
    pixels = DECODER.upright(encoded(half_clear((64, 48))))
    assert (pixels[:, :32] == 255).all()
    assert (pixels[:, 32:] == (255, 0, 0)).all()


@pytest.mark.slow
def test_only_a_large_transparent_image_is_shrunk_by_a_whole_factor() -> None:
    assert DECODER.upright(image_bytes("red", (3100, 2100))).shape == (2100, 3100, 3)
    assert DECODER.upright(encoded(half_clear((3100, 2047)))).shape == (2047, 3100, 3)
    assert DECODER.upright(encoded(half_clear((3100, 2100)))).shape == (1050, 1550, 3)


@pytest.mark.parametrize("name", FORMATS)
def test_a_header_says_format_and_size_though_the_pixels_are_damaged(name: str) -> None:
    content = encoded(SCENE, name)
    assert DECODER.header(content) == Header(f"image/{name.lower()}", 64, 48)
    if name != "WEBP":  # whose decoder refuses a file that is shorter than it says
        assert DECODER.header(content[: len(content) * 9 // 10]) == DECODER.header(content)


def test_a_png_is_not_decoded_to_look_for_its_orientation() -> None:
    whole = encoded(SCENE)
    assert DECODER.header(whole[:33] + chunk(b"IDAT", b"garbage")) == Header("image/png", 64, 48)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", ImageEmpty),
        (b"hello", ImageTypeUnsupported),
        (encoded(SCENE)[:20], ImageCorrupt),
        (png(7_000, 7_000), ImageTooLarge),
        (image_bytes("red", (7, 100)), ImageTooSmall),
    ],
)
def test_what_is_not_decoded_has_no_upright_pixels_and_no_header(content: bytes, error: type[ImageError]) -> None:
    for refused in (DECODER.decode, DECODER.upright, DECODER.header):
        with pytest.raises(error):
            refused(content)


# --- attacks -----------------------------------------------------------------------------------------------------


def test_a_jpeg_with_an_archive_behind_it_is_the_jpeg() -> None:
    jpeg = encoded(SCENE, "JPEG")
    np.testing.assert_array_equal(DECODER.decode(jpeg + archive()), DECODER.decode(jpeg))


def bounded(content: bytes) -> None:
    """Decode, or refuse, in bounded memory."""
    tracemalloc.start()
    try:
        DECODER.decode(content)
    except ImageError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 10 << 20


@pytest.mark.slow
@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP", b"iTXt"])
def test_fault_09_a_bomb_in_the_metadata_takes_bounded_memory(kind: bytes) -> None:
    bomb = zlib.compress(b"\0" * (64 << 20), 9)
    prefix = b"name\0\1\0\0\0" if kind == b"iTXt" else b"name\0\0"
    whole = encoded(SCENE)
    bounded(whole[:33] + chunk(kind, prefix + bomb) + whole[33:])  # 33: signature and IHDR


@pytest.mark.slow
def test_fault_09_a_hundred_thousand_chunks_take_bounded_memory() -> None:
    whole = encoded(SCENE)
    bounded(whole[:33] + chunk(b"teXt", b"") * 100_000 + whole[33:])


def test_text_in_an_image_changes_nothing() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "<script>alert(1)</script>", zip=True)
    np.testing.assert_array_equal(DECODER.decode(encoded(SCENE, pnginfo=text)), DECODER.decode(encoded(SCENE)))


WHOLE = {name: encoded(SCENE.resize((16, 12)), name) for name in FORMATS} | {
    "palette PNG": encoded(SCENE.resize((16, 12)).quantize(16)),
    "clear WebP": encoded(half_clear((16, 12)), "WEBP"),
    "JPEG with EXIF": encoded(held(6)[0], "JPEG", exif=held(6)[1]),
}


@pytest.mark.slow
@given(st.data())
@pytest.mark.parametrize("name", WHOLE)
def test_a_mutated_image_gives_pixels_or_an_image_error(name: str, data: st.DataObject) -> None:
    mutated = bytearray(WHOLE[name])
    for _ in range(data.draw(st.integers(1, 8))):
        position = data.draw(st.integers(0, len(mutated) - 1))
        match data.draw(st.sampled_from(["set", "insert", "delete", "repeat"])):
            case "set":
                mutated[position] = data.draw(st.integers(0, 255))
            case "insert":
                mutated[position:position] = data.draw(st.binary(max_size=8))
            case "delete":
                del mutated[position : position + data.draw(st.integers(0, 8))]
            case _:
                mutated[position:position] = mutated[position : position + 16]
        if not mutated:
            break
    try:
        pixels = PillowDecoder(8, max_pixels=100_000).decode(bytes(mutated))
    except ImageError:
        return
    assert pixels.shape == (8, 8, 3)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("orientation", STORED_AS)
@pytest.mark.parametrize("side", [1, 7, 60, 120, 121, 500])
def test_an_image_is_fitted_upright_in_its_proportions(orientation: int, side: int) -> None:
    """The longer side is the one that is wanted, or that of the image: none is enlarged."""
    turn, exif = STORED_AS[orientation], Image.Exif()
    exif[0x0112] = orientation
    image = scene((120, 30))
    stored = encoded(image if turn is None else image.transpose(turn), exif=exif)
    fitted = PillowDecoder(1, 10_000).decoded(stored).fitted(side)
    width = min(side, 120)
    assert fitted.shape == (max(1, round(width / 4)), width, 3)
    expected = image.resize((fitted.shape[1], fitted.shape[0]), Image.Resampling.BOX)
    assert np.abs(fitted.astype(int) - np.asarray(expected)).mean() < 3
