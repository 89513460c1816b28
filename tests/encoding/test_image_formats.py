"""What is decoded, and the names of what is not."""

import gzip

import pytest

from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.image_formats import FORMATS, TOP_BYTES, known_format, media_type
from pricematch.errors import ImageError, ImageTypeUnsupported
from tests.support.fakes import encoded, scene
from tests.support.odd_images import NOT_IMAGES

DECODER = PillowDecoder(16, 1_000_000)
BOX = b"\0\0\0\x18ftyp"
NAMED = {
    "HEIC": [BOX + brand + b"\0\0\0\0mif1" + brand for brand in (b"heic", b"heix", b"hevc", b"mif1", b"msf1")],
    "JPEG XL": [b"\xff\x0a" + bytes(30), b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(30)],
    "JPEG 2000": [b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(30), b"\xff\x4f\xff\x51" + bytes(30)],
    "PSD": [b"8BPS\0\1" + bytes(30)],
    "SVG": [NOT_IMAGES["svg"], b'\xef\xbb\xbf<?xml version="1.0"?>\n<!DOCTYPE svg><svg/>'],
    "PDF": [NOT_IMAGES["pdf"]],
    "EPS": [NOT_IMAGES["eps"], b"\xc5\xd0\xd3\xc6" + bytes(30)],
    "ICO": [encoded(scene(), "ICO")],
    "HTML": [NOT_IMAGES["html"], b"\n <HTML><body>404</body></HTML>"],
    "XML": [b"<Error><Code>AccessDenied</Code></Error>"],
    "JSON": [b'{"error": "not found"}'],
    "ZIP": [NOT_IMAGES["zip"]],
    "gzip": [gzip.compress(b"image")],
    "RAR": [b"Rar!\x1a\7\0" + bytes(30)],
    "MP4": [BOX + b"isom\0\0\2\0isommp41", BOX + b"qt  \0\0\0\0qt  qt  "],
    "WebM": [b"\x1a\x45\xdf\xa3" + bytes(30)],
    "CR3": [BOX + b"crx \0\0\0\1crx isom"],
    "RAF": [b"FUJIFILMCCD-RAW 0201"],
    "Base64": [b"/9j/4AAQSkZJRg", b"iVBORw0KGgoAAAANSUhEUg"],
    "data: URL": [b"data:image/png;base64,iVBORw0KGgo="],
    "PNM": [encoded(scene(), "PPM")],
    "Git LFS": [b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"],
    "text": [b"no image at all", "kein Bild, größer".encode()],
    "another format": [b"\0" * 100, b"\xff", bytes(range(7, 100))],
}


@pytest.mark.parametrize("name", NAMED)
def test_what_is_not_decoded_is_named_with_what_to_do(name: str) -> None:
    """The message holds its name and advice, and none of its bytes: fault C11."""
    for content in NAMED[name]:
        with pytest.raises(ImageTypeUnsupported) as caught:
            DECODER.decoded(content)
        text = str(caught.value)
        assert text.startswith("expected JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF, got ")
        assert name in text
        assert text.partition("; ")[2].startswith(("convert", "render", "send"))
        assert not any(sign in text for sign in ("b'", 'b"', "\\x", "ftyp"))
        assert text.isprintable()


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_decoded_is_known_by_its_beginning(name: str) -> None:
    """AVIF is among them: fault C11."""
    content = encoded(scene(), name)
    assert known_format(content) == name
    assert media_type(content[:TOP_BYTES]) == f"image/{name.lower()}"


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_image_is_told_without_its_bytes(name: str) -> None:
    """Libraries show bytes and objects in their errors: fault C11."""
    whole, texts = encoded(scene(), name), list[str]()
    for at in range(8, min(len(whole), 300), 7):
        damaged = whole[:at] + b"\xf7'\"\0" + whole[at + 4 :]
        try:
            DECODER.decoded(damaged)
        except ImageError as error:
            texts.append(str(error))
    assert not [text for text in texts for sign in ("b'", 'b"', "\\x", "0x") if sign in text]
