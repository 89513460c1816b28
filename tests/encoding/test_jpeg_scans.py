"""How much work a JPEG is, read from its markers."""

import pytest

from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.jpeg_scans import MOST_SCANS, check_scans
from pricematch.errors import ImageCorrupt, ImageTooComplex
from pricematch.settings import MIB, Settings
from tests.support.fakes import encoded, scene
from tests.support.odd_images import jpeg_of_scans

PLAIN = encoded(scene(), "JPEG")
DECODER = PillowDecoder(64, 10**6)


def behind_start(content: bytes) -> bytes:
    """A good JPEG with these bytes between its first marker and the next."""
    return PLAIN[:2] + content + PLAIN[2:]


def test_the_setting_is_what_decoders_allow() -> None:
    """A decoder that is told nothing refuses what the service refuses."""
    assert Settings().max_scans == MOST_SCANS


@pytest.mark.parametrize(
    "image",
    [PLAIN, encoded(scene(), "JPEG", progressive=True), jpeg_of_scans(MOST_SCANS)],
    ids=["plain", "progressive", "as many scans as may be"],
)
def test_as_many_scans_as_are_allowed_decode(image: bytes) -> None:
    """A progressive JPEG as libjpeg writes it has ten."""
    assert DECODER.decode(image).shape == (64, 64, 3)


@pytest.mark.parametrize("scans", [MOST_SCANS + 1, 200, 100_000])
def test_more_scans_are_refused_with_their_number(scans: int) -> None:
    """Fault F3: libjpeg goes over all pixels in each of them, which may be a million and a half."""
    with pytest.raises(ImageTooComplex, match=f"expected at most {MOST_SCANS} scans in a JPEG, got {scans}"):
        DECODER.decode(jpeg_of_scans(scans))


def test_scans_are_refused_before_pillow_sees_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault F3: reading the header is work enough where it has millions of segments."""
    monkeypatch.setattr("PIL.Image.open", None)
    for image in (jpeg_of_scans(200), behind_start(b"\xff\xe1\0\2" * 20_000), behind_start(b"\xff" * 20_000)):
        with pytest.raises(ImageTooComplex):
            DECODER.header(image)


@pytest.mark.parametrize("hidden", [b"\xff\xda", b"\xff\xda\0\2\xff\xda\0\2"], ids=["marker", "segments"])
def test_a_scan_within_a_segment_is_none(hidden: bytes) -> None:
    """A comment, or a thumbnail in the EXIF data, may hold bytes that look like one."""
    comment = hidden * 300
    image = behind_start(b"\xff\xfe" + (2 + len(comment)).to_bytes(2) + comment)
    assert DECODER.decode(image).shape == (64, 64, 3)


def test_what_stands_behind_the_image_is_not_counted() -> None:
    """A second image in the same file is never decoded."""
    assert DECODER.decode(PLAIN + jpeg_of_scans(500)).shape == (64, 64, 3)


@pytest.mark.parametrize("end", [2, 3, 20, len(PLAIN) - 40])
def test_a_truncated_image_is_left_to_the_decoder(end: int) -> None:
    """It says what is wrong."""
    check_scans(PLAIN[:end], 1)
    with pytest.raises((ImageCorrupt, OSError)):
        DECODER.decode(PLAIN[: max(end, 3)])


@pytest.mark.parametrize("filler", [b"\xff\0", b"\xff\xd0", b"\0\0"], ids=lambda filler: filler.hex())
def test_the_bits_of_a_scan_may_be_many(filler: bytes) -> None:
    """Fault F3: twenty megabytes of them are passed over at once; a walk that began anew at each would never end."""
    check_scans(PLAIN[:-2] + filler * (10 * MIB) + PLAIN[-2:], 1)
