"""What of an image's file is stored: what draws it, and nothing else."""

import io
import struct
from collections.abc import Mapping

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.stored_form import stored_form
from pricematch.errors import ImageCorrupt, ImageTooComplex, ImageTypeUnsupported
from tests.support.fakes import STORED_AS, encoded, image_bytes, scene
from tests.support.image_modes import CASES
from tests.support.odd_images import png_chunk, png_with, zip_file

DECODER = PillowDecoder(16, 1_000_000)
SECRET = b"<script>hidden()</script>"
SCENE = scene((48, 32))
PLAIN: Mapping[str, bytes] = {
    "JPEG": encoded(SCENE, "JPEG"),
    "progressive JPEG": encoded(SCENE, "JPEG", progressive=True),
    "JPEG with restarts": encoded(SCENE, "JPEG", restart_marker_rows=1),
    "MPO": encoded(SCENE, "MPO", save_all=True, append_images=[SCENE.rotate(180)]),
    "PNG": encoded(SCENE),
    "palette PNG": encoded(SCENE.quantize(16)),
    "GIF": encoded(SCENE, "GIF"),
    "WEBP": encoded(SCENE, "WEBP"),
    "lossless WEBP": encoded(SCENE.convert("RGBA"), "WEBP", lossless=True),
    "BMP": encoded(SCENE, "BMP"),
    "palette BMP": encoded(SCENE.quantize(16), "BMP"),
    "TIFF": encoded(SCENE, "TIFF"),
    "LZW TIFF": encoded(SCENE, "TIFF", compression="tiff_lzw"),
    "JPEG TIFF": encoded(SCENE, "TIFF", compression="jpeg"),
    "AVIF": encoded(SCENE, "AVIF"),
}
WHOLE = {**PLAIN, **{name: case.image for name, case in CASES.items()}}
ANIMATED = ("GIF", "WEBP", "PNG")


def pixels_equal(image: bytes, other: bytes) -> None:
    np.testing.assert_array_equal(DECODER.upright(image), DECODER.upright(other))


@pytest.mark.parametrize("name", WHOLE)
def test_an_image_is_stored_with_the_same_pixels(name: str) -> None:
    """And once more in the same form, with the same name: fault F10."""
    stored = stored_form(WHOLE[name])
    pixels_equal(stored, WHOLE[name])
    assert stored_form(stored) == stored


@pytest.mark.parametrize("hidden", [SECRET, zip_file(), PLAIN["JPEG"], b"\0" * 99, b"\xff\xd9" + SECRET], ids=range(5))
@pytest.mark.parametrize("name", WHOLE)
def test_what_stands_behind_an_image_is_not_stored(name: str, hidden: bytes) -> None:
    """In every format: fault F10."""
    assert stored_form(WHOLE[name] + hidden) == stored_form(WHOLE[name])


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_many_bytes_behind_a_small_image_are_not_stored(name: str) -> None:
    """Nineteen of the twenty MiB that a file may have: fault F10."""
    assert stored_form(PLAIN[name] + bytes(19 << 20)) == stored_form(PLAIN[name])


def jpeg_segment(marker: int, content: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def with_metadata() -> Mapping[str, bytes]:
    """Images that hold what is no part of them, by where."""
    jpeg, gif, webp = PLAIN["JPEG"], PLAIN["GIF"], PLAIN["lossless WEBP"]
    exif = Image.Exif()
    exif[0x010E], exif[0x8769] = SECRET.decode(), {0x9286: SECRET}
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", SECRET.decode())
    frame = gif.index(b",", 13 + 3 * 256)
    behind = encoded(SCENE)[:-12] + png_chunk(b"tEXt", b"a\0" + SECRET) + encoded(SCENE)[-12:]
    return {
        **{
            f"segment {at:x} of a JPEG": jpeg[:2] + jpeg_segment(at, SECRET) + jpeg[2:]
            for at in (*range(0xE0, 0xF0), 0xFE)
        },
        "EXIF data of a JPEG": encoded(SCENE, "JPEG", exif=exif),
        "EXIF data of a PNG": encoded(SCENE, exif=exif),
        "EXIF data of a WebP": encoded(SCENE, "WEBP", exif=exif),
        "XMP of a WebP": encoded(SCENE, "WEBP", xmp=SECRET),
        "a comment of a JPEG": encoded(SCENE, "JPEG", comment=SECRET),
        "a text of a PNG": encoded(SCENE, pnginfo=text),
        "a text behind the pixels of a PNG": behind,
        "an unknown chunk of a PNG": png_with([png_chunk(b"hiDe", SECRET)]),
        "a wrong length in a PNG": png_with([png_chunk(b"gAMA", SECRET)]),
        "a comment of a GIF": gif[:frame] + b"!\xfe" + bytes([len(SECRET)]) + SECRET + b"\0" + gif[frame:],
        "an application of a GIF": gif[:frame]
        + b"!\xff\x0bunknown 1.0"
        + bytes([len(SECRET)])
        + SECRET
        + b"\0"
        + gif[frame:],
        "an unknown chunk of a WebP": webp[:4]
        + struct.pack("<I", len(webp) + 26)
        + webp[8:]
        + b"hide\x19\0\0\0"
        + SECRET
        + b"\0",
        "a tag of a TIFF": encoded(SCENE, "TIFF", description=SECRET.decode()),
        "between header and pixels of a BMP": b"".join(
            [PLAIN["BMP"][:10], struct.pack("<I", 54 + len(SECRET)), PLAIN["BMP"][14:54], SECRET, PLAIN["BMP"][54:]]
        ),
        "a box of an AVIF": PLAIN["AVIF"] + struct.pack(">I", 8 + len(SECRET)) + b"uuid" + SECRET,
        "a box between those of an AVIF": between_boxes(struct.pack(">I", 8 + len(SECRET)) + b"free" + SECRET),
    }


def between_boxes(box: bytes) -> bytes:
    """An AVIF with a box before its pixels, whose place stays the old one plus that."""
    whole = PLAIN["AVIF"]
    at = whole.index(b"mdat") - 4
    place = struct.pack(">I", at + 8)
    assert whole[:at].count(place) == 1
    return whole[:at].replace(place, struct.pack(">I", at + 8 + len(box))) + box + whole[at:]


HIDING = with_metadata()


@pytest.mark.parametrize("where", HIDING)
def test_what_is_hidden_in_an_image_is_not_stored(where: str) -> None:
    """Comments, other metadata and unknown parts: fault F10."""
    image = HIDING[where]
    assert SECRET in image
    stored = stored_form(image)
    assert SECRET not in stored
    pixels_equal(stored, image)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_and_colour_profile_stay(name: str, orientation: int) -> None:
    """Also where only XMP says it: fault F10."""
    turn, exif = STORED_AS.get(orientation), Image.Exif()
    exif[0x0112] = orientation
    image = encoded(SCENE if turn is None else SCENE.transpose(turn), name, exif=exif, icc_profile=b"profile" * 9)
    stored = stored_form(image)
    pixels_equal(stored, image)
    with Image.open(io.BytesIO(stored)) as opened:
        assert opened.info["icc_profile"] == b"profile" * 9
        assert opened.getexif().get(0x0112, 1) == orientation


def test_an_orientation_that_xmp_says_stays() -> None:
    """A JPEG may have it there: fault F10."""
    image = encoded(SCENE, "JPEG", xmp=b'<x tiff:Orientation="6"/>' + SECRET)
    stored = stored_form(image)
    assert SECRET not in stored
    assert DECODER.upright(stored).shape == (48, 32, 3)


@pytest.mark.parametrize("name", ANIMATED)
def test_an_animation_keeps_its_frames(name: str) -> None:
    """They are what the file shows: fault F10."""
    frames = [SCENE, SCENE.rotate(180), SCENE.convert("L").convert("RGB")]
    image = encoded(frames[0], name, save_all=True, append_images=frames[1:], loop=0)
    with Image.open(io.BytesIO(stored_form(image))) as opened:
        assert getattr(opened, "n_frames", 1) == 3
        assert opened.info["loop"] == 0


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("PNG", encoded(SCENE)[:33] + png_chunk(b"IDAT", bytes(1 << 20)) + encoded(SCENE)[33:]),
        ("AVIF", PLAIN["AVIF"] + struct.pack(">I", 8 + (1 << 20)) + b"mdat" + bytes(1 << 20)),
        ("GIF", PLAIN["GIF"][:-2] + (b"\xff" + bytes(255)) * 4096 + b"\0;"),
        ("JPEG", PLAIN["JPEG"][:-2] + bytes(1 << 20) + b"\xff\xd9"),
    ],
)
def test_more_bytes_than_pixels_can_need_are_refused(name: str, image: bytes) -> None:
    """They are hidden in the data of pixels, which nobody looks into here: fault F10."""
    with pytest.raises(ImageCorrupt, match=r"of an image of 48 × 32 pixels, got .* something else is hidden"):
        stored_form(image)


def test_parts_without_number_are_refused() -> None:
    """Each takes time, also where the image is only decoded: faults F3 and F10."""
    image = encoded(SCENE)[:33] + png_chunk(b"IDAT", b"") * 50_001
    for reads in (stored_form, PillowDecoder(8, 10_000).decode):
        with pytest.raises(ImageTooComplex, match="at most 50000 chunks in a PNG"):
            reads(image)


def test_strips_that_share_bytes_are_refused() -> None:
    """The stored file would be larger than the one that came: fault F10."""
    image = encoded(SCENE, "TIFF", compression="tiff_lzw", tiffinfo={278: 1})
    with Image.open(io.BytesIO(image)) as opened:
        places = opened.tag_v2[273]  # type: ignore[attr-defined]  # of TIFF alone
    assert len(places) > 2
    every = struct.pack(f"<{len(places)}I", *places)
    with pytest.raises(ImageCorrupt, match="share bytes"):
        stored_form(repeated_counts(image.replace(every, struct.pack("<I", 8) * len(places))))


def repeated_counts(image: bytes) -> bytes:
    """Every strip as long as nearly the whole file."""
    with Image.open(io.BytesIO(image)) as opened:
        counts = opened.tag_v2[279]  # type: ignore[attr-defined]  # of TIFF alone
    for kind, size in (("H", 2), ("I", 4)):
        every = struct.pack(f"<{len(counts)}{kind}", *counts)
        if every in image:
            return image.replace(every, struct.pack(f"<{kind}", len(image) - 8)[:size] * len(counts))
    raise AssertionError("no counts")


def test_a_tiff_of_old_jpeg_is_refused() -> None:
    """Its data are found by tags that are not kept: fault F10."""
    image = bytearray(encoded(SCENE, "TIFF"))
    at = image.index(struct.pack("<HHI", 259, 3, 1)) + 8
    image[at : at + 2] = struct.pack("<H", 6)
    with pytest.raises(ImageTypeUnsupported, match="convert it"):
        stored_form(bytes(image))


@pytest.mark.parametrize("image", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"RIFF\0\0\0\0WEBP"])
def test_what_is_no_image_is_left_to_the_decoder(image: bytes) -> None:
    """Which says what it is: fault F10."""
    assert stored_form(image).startswith(image)


def test_a_truncated_image_is_stored_with_an_end() -> None:
    """One that lacks nothing else: fault F10."""
    for name, cut in (("JPEG", 2), ("PNG", 12), ("GIF", 1)):
        assert stored_form(PLAIN[name][:-cut]) == stored_form(PLAIN[name])


def test_one_colour_takes_few_bytes() -> None:
    """The room is by pixels: fault F10."""
    assert len(stored_form(image_bytes("red", (2000, 2000)))) < 50_000
