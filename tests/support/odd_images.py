"""Images as an adversary or an odd program writes them; all are made here, none is kept as a file."""

import io
import struct
import zipfile
import zlib
from collections.abc import Sequence

from PIL import Image

from tests.support.fakes import image_bytes, scene

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header says these sizes, and that has no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return PNG_SIGNATURE + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")


def png_with(chunks: Sequence[bytes], size: tuple[int, int] = (64, 64)) -> bytes:
    """A good red PNG with these chunks between its header and its pixels."""
    good = image_bytes("#ff0000", size)
    behind_header = len(PNG_SIGNATURE) + 25
    return good[:behind_header] + b"".join(chunks) + good[behind_header:]


def png_of_zeros(width: int, height: int) -> bytes:
    """A black PNG with all its pixels, compressed without ever holding them."""
    squeeze = zlib.compressobj(9)
    line = bytes(1 + 3 * width)
    pixels = b"".join(squeeze.compress(line) for _ in range(height)) + squeeze.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return PNG_SIGNATURE + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def gif_header(width: int, height: int) -> bytes:
    """A GIF whose screen has these sizes, with one frame of one pixel."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return screen + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00" + b";"


def webp_header(width: int, height: int) -> bytes:
    """A lossless WebP of 34 bytes that says these sizes: one symbol for every pixel, so it takes no more."""
    sizes = (width - 1) | (height - 1) << 14
    stream = b"\x2f" + struct.pack("<I", sizes) + b"\x88\x88\x08"
    stream += bytes(14 - len(stream))
    return b"RIFF" + struct.pack("<I", 12 + len(stream)) + b"WEBPVP8L" + struct.pack("<I", len(stream)) + stream


def animated(kind: str) -> bytes:
    """A red first frame, and blue ones."""
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("#ff0000", "#0000ff", "#0000ff")]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=100)
    return file.getvalue()


def zip_file() -> bytes:
    """An archive of one small file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("hidden.txt", "hidden")
    return file.getvalue()


def truncated(kind: str) -> bytes:
    """The first half of an image."""
    file = io.BytesIO()
    scene().save(file, kind)
    return file.getvalue()[: len(file.getvalue()) // 2]


NOT_IMAGES = {
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>',
    "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0heicmif1",
    "html": b"<!doctype html><script>alert(1)</script>",
    "zip": zip_file(),
    "text": b"no image at all",
}
"""Files that are no image we read, by kind."""

MAGIC_NUMBERS = {
    "jpeg": b"\xff\xd8\xff\xe0",
    "png": PNG_SIGNATURE,
    "webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "gif": b"GIF89a",
    "bmp": b"BM",
    "tiff": b"II*\0",
}
"""How a file of each format begins."""


def jpeg_of_scans(scans: int, size: tuple[int, int] = (64, 64)) -> bytes:
    """A progressive JPEG whose last scan is repeated, without its bits, until it has so many of them."""
    file = io.BytesIO()
    scene(size).save(file, "JPEG", progressive=True)
    image = file.getvalue()
    last = image.rindex(b"\xff\xda")
    head = image[last : last + 2 + int.from_bytes(image[last + 2 : last + 4])]
    return image[:-2] + head * (scans - image.count(b"\xff\xda")) + image[-2:]
