"""The form in which an image is stored: what draws it, its orientation and its colour profile, and nothing else.

Left out is what stands behind its end, and within it comments, thumbnails, positions, other metadata and unknown parts.
Nothing is decoded: the file is read once from part to part, in time proportional to its bytes, and frames stay.
"""

import io
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from pricematch.encoding.image_formats import FORMATS, known_format
from pricematch.encoding.jpeg_scans import MARKER
from pricematch.encoding.orientation import exif_with, orientation_in
from pricematch.encoding.png_chunks import png_chunks
from pricematch.encoding.stored_form_tiff import bmp_without_rest, tiff_without_rest
from pricematch.errors import ImageCorrupt, ImageTooComplex

_TEMPORARY, _START, _END, _SCAN, _APP0, _APP1, _APP2, _APP14 = 0x01, 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
_COMMENTS = (*range(0xE0, 0xF0), 0xFE)
"""Markers of segments for whoever likes them."""
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MOST_PARTS = 50_000
_MOST_BESIDE, _MOST_A_PIXEL = 1 << 16, 10
"""Bytes of an image: beside its pixels and profile, and for each pixel; 16 bits of four channels are 8."""
_MOST_PROFILE = 4 << 20
"""Bytes of a colour profile; those of printers have up to two or three MiB."""


def stored_form(image: bytes) -> bytes:
    """The file without what does not draw it; the same bytes where there is nothing else, or no known format.

    What is damaged is left as it is as far as it can be: decoding it says what is wrong with it. What is hidden in data
    of pixels is told by their size only.

    Raises:
        ImageError: it has too many parts, or is of a kind that cannot be told apart from what is hidden in it.
    """
    kind = known_format(image)
    if kind is None:
        return image
    try:
        stored = _FORMS[kind](image)
    except (struct.error, IndexError):  # it ends within a part that all the rest depends on
        stored = image
    if len(stored) > _MOST_BESIDE:
        _check_room(stored)
    return stored


def _too_complex(name: str) -> ImageTooComplex:
    return ImageTooComplex(
        f"expected at most {_MOST_PARTS} parts of a {name}, and {_MOST_BLOCKS} blocks of one, got more"
    )


def _check_room(stored: bytes) -> None:
    """Raise ImageCorrupt where an image has many more bytes than its pixels can need."""
    try:
        with Image.open(io.BytesIO(stored), formats=FORMATS) as opened:
            width, height = opened.size
            frames = getattr(opened, "n_frames", 1)
            profile = len(opened.info.get("icc_profile") or b"")
    except Exception:  # noqa: BLE001 — decoding it says what is wrong with it
        return
    if opened.format == "PNG":
        frames = max(1, min(frames, stored.count(b"fcTL")))
    most = width * height * frames * _MOST_A_PIXEL + profile + _MOST_BESIDE
    if len(stored) > most:
        text = f"expected at most {most} bytes of an image of {width} × {height} pixels, got {len(stored)}"
        raise ImageCorrupt(f"{text}: something else is hidden in it; write it anew")


def _jpeg(image: bytes) -> bytes:
    """Until the first end marker: of several images (MPO) the first."""
    first, adobe, tables, exif, xmp, profile = b"", b"", list[bytes](), b"", b"", 0
    for marker, part in _jpeg_parts(image):
        content = part[4:]
        if marker == _APP0 and content[:5] == b"JFIF\0":
            first = first or b"\xff\xe0\0\x10" + content[:12].ljust(12, b"\0") + b"\0\0"  # without a thumbnail
        elif marker == _APP14 and content[:5] == b"Adobe":
            adobe += b"\xff\xee\0\x0e" + content[:12].ljust(12, b"\0")
        elif marker == _APP1 and content[:6] == b"Exif\0\0":
            exif += content[6:] if exif else content
        elif marker == _APP1 and content.startswith(_XMP):
            xmp = content.removeprefix(_XMP)
        elif marker == _APP2 and content.startswith(b"ICC_PROFILE\0"):
            profile += len(content)
            tables += [part] if profile <= _MOST_PROFILE else []
        elif marker not in _COMMENTS:
            tables.append(part)
    orientation = orientation_in(exif, xmp)
    turned = b"" if orientation == 1 else b"\xff\xe1\0\x22Exif\0\0" + exif_with(orientation)
    return b"".join([b"\xff\xd8", first, turned, adobe, *tables, b"\xff\xd9"])


def _jpeg_parts(image: bytes) -> Iterator[tuple[int, bytes]]:
    """Segments with their markers, and with 0 the data of scans; what stands between others is passed over."""
    at, scanned = 2, False
    for _ in range(_MOST_PARTS):
        if (found := MARKER.search(image, at)) is None:
            if scanned:
                yield 0, image[at:]
            return
        begin, marker = found.end() - 2, image[found.end() - 1]
        if scanned:
            yield 0, image[at:begin]
        if marker == _END:
            return
        at = begin + 2
        if marker not in (_START, _TEMPORARY):
            at += max(2, int.from_bytes(image[at : at + 2]))
            scanned = marker == _SCAN
            yield marker, image[begin:at]
    raise _too_complex("JPEG")


_PNG_KEPT = {b"IHDR": 13, b"PLTE": 768, b"tRNS": 256, b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"sBIT": 4, b"pHYs": 9}
_PNG_KEPT |= {b"cICP": 4, b"mDCV": 24, b"cLLI": 8, b"acTL": 8, b"fcTL": 26, b"iCCP": _MOST_PROFILE}
_PNG_PIXELS = (b"IDAT", b"fdAT")


def _png(image: bytes) -> bytes:
    parts, exif = [image[:8]], b""
    for kind, at, end in png_chunks(image):
        if kind == b"eXIf":
            exif = image[at + 8 : end - 4]
        elif kind in _PNG_PIXELS or end - at - 12 <= _PNG_KEPT.get(kind, -1):
            parts.append(image[at:end])
    if (orientation := orientation_in(exif)) != 1:
        parts.insert(2, _png_chunk(b"eXIf", exif_with(orientation)))
    return b"".join([*parts, _png_chunk(b"IEND", b"")])


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


_WEBP_KEPT = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF")
_FRAME_HEADER = 16
_HAS_EXIF, _HAS_XMP = 0x08, 0x04
"""Flags of the chunk VP8X."""


def _webp(image: bytes) -> bytes:
    end = 8 + int.from_bytes(image[4:8], "little")
    if not 12 <= end <= len(image):
        return image
    exif = b""
    parts = list[tuple[bytes, bytes]]()
    for kind, content in _riff_chunks(image, 12, end):
        if kind == b"EXIF":
            exif = exif or content
        elif kind == b"ANMF":
            frame = _riff_chunks(content, _FRAME_HEADER, len(content))
            parts.append((kind, content[:_FRAME_HEADER] + b"".join(_riff_chunk(*it) for it in frame)))
        else:
            parts.append((kind, content))
    if parts and parts[0][0] == b"VP8X":
        orientation = orientation_in(exif)
        flags = parts[0][1][0] & ~(_HAS_EXIF | _HAS_XMP) | (_HAS_EXIF if orientation != 1 else 0)
        parts[0] = b"VP8X", bytes([flags]) + parts[0][1][1:10]
        parts += [(b"EXIF", exif_with(orientation))] if orientation != 1 else []
    body = b"WEBP" + b"".join(_riff_chunk(*part) for part in parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _riff_chunks(image: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of the known chunks."""
    for _ in range(_MOST_PARTS):
        if at + 8 > end:
            return
        size = int.from_bytes(image[at + 4 : at + 8], "little")
        if image[at : at + 4] in _WEBP_KEPT:
            yield image[at : at + 4], image[at + 8 : min(at + 8 + size, end)]
        at += 8 + size + size % 2
    raise _too_complex("WebP")


def _riff_chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


_GIF_EXTENSION, _GIF_FRAME, _GIF_END, _GIF_CONTROL, _GIF_APPLICATION = 0x21, 0x2C, 0x3B, 0xF9, 0xFF
_MOST_BLOCKS = 200_000
"""Of a frame or extension; 20 MiB of the longest ones are 82,000."""
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


def _gif(image: bytes) -> bytes:
    at = 13 + _colours(image[10])
    parts = [image[:at]]
    for _ in range(_MOST_PARTS):
        if at >= len(image) or (sign := image[at]) == _GIF_END:
            break
        begin = at
        if sign == _GIF_EXTENSION:
            at = _behind_blocks(image, at + 2)
            parts.append(_gif_extension(image[begin:at]))
        elif sign == _GIF_FRAME:
            at = _behind_blocks(image, at + 11 + _colours(image[at + 9]))
            parts.append(image[begin:at])
        else:
            at += 1
    else:
        raise _too_complex("GIF")
    return b"".join([*parts, bytes([_GIF_END])])


def _gif_extension(part: bytes) -> bytes:
    """An extension that frames need; nothing of others."""
    label, first = part[1], part[3 : 3 + part[2]]
    if label == _GIF_CONTROL:
        return b"!\xf9\x04" + first[:4].ljust(4, b"\0") + b"\0"
    if label == _GIF_APPLICATION and first in _LOOPS:
        return part[:14] + b"\3" + part[15:18].ljust(3, b"\0") + b"\0"
    return b""


def _colours(flags: int) -> int:
    """Bytes of a table of colours."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _behind_blocks(image: bytes, at: int) -> int:
    """Where a row of blocks ends, each with its length before it, the last one empty."""
    for _ in range(_MOST_BLOCKS):
        if at >= len(image) or not (size := image[at]):
            return min(at + 1, len(image))
        at += size + 1
    raise _too_complex("GIF")


_BOXES = (b"ftyp", b"meta", b"moov", b"mdat")


def _avif(image: bytes) -> bytes:
    """Until the last known box; what is unknown between them is zeros, since others are found by where they are."""
    parts, known, at = list[bytes](), 0, 0
    while at + 8 <= len(image) and len(parts) <= _MOST_PARTS:
        size, kind, header = int.from_bytes(image[at : at + 4]), image[at + 4 : at + 8], 8
        if size == 1:
            size, header = int.from_bytes(image[at + 8 : at + 16]), 16
        end = at + size if size else len(image)
        if size and size < header:
            break
        if kind in _BOXES:
            parts.append(image[at:end])
            known = len(parts)
        else:
            parts.append(image[at : at + 4] + b"free" + bytes(min(end, len(image)) - at - 8))
        at = end
    return b"".join(parts[:known])


_FORMS = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "GIF": _gif,
    "BMP": bmp_without_rest,
    "TIFF": tiff_without_rest,
    "AVIF": _avif,
}
