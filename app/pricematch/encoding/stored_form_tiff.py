"""The stored forms of TIFF and BMP, whose parts are found by offsets: the parts that draw, behind each other."""

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pricematch.encoding.orientation import ORIENTATION, orientation_in
from pricematch.errors import ImageCorrupt, ImageTypeUnsupported

# names of the tags of TIFF 6.0
_WIDTH, _LENGTH, _BITS, _COMPRESSION, _SAMPLES, _ROWS, _PLANAR = 256, 257, 258, 259, 277, 278, 284
_STRIPS, _STRIP_COUNTS, _TILES, _TILE_COUNTS = 273, 279, 324, 325
_PROFILE, _XMP = 34675, 700
_KEPT = {_WIDTH, _LENGTH, _BITS, _COMPRESSION, _SAMPLES, _ROWS, _PLANAR, _PROFILE, ORIENTATION}
_KEPT |= {262, 266, 280, 281, 282, 283, 292, 293, 296, 301, 317, 318, 319, 320, 322, 323, 332, 333, 338, 339, 347}
_KEPT |= {529, 530, 531, 532}
_UNCOMPRESSED, _OLD_JPEG = 1, 6
_MOST_VALUE = 4 << 20
"""Bytes of a tag's values: a colour profile has the most."""
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes by type of value."""
_FORMATS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
_SHORT, _LONG, _LONG8 = 3, 4, 16


class _Tag(NamedTuple):
    """A tag: the type of its values, how many there are, and their bytes."""

    kind: int
    values: int
    value: bytes

    def numbers(self, order: str) -> Sequence[int]:
        """The values of a tag of whole numbers; none of others."""
        size = _SIZES.get(self.kind, 1)
        if self.kind not in _FORMATS:
            return ()
        return struct.unpack(f"{order}{len(self.value) // size}{_FORMATS[self.kind]}", self.value)


def tiff_without_rest(image: bytes) -> bytes:
    """The first image of a TIFF: its tags that draw it, then its strips or tiles.

    Raises:
        ImageCorrupt: strips share bytes, so that it would be larger than the file.
        ImageTypeUnsupported: its data are an old kind of JPEG, which is found by other tags.
    """
    order = "<" if image[:2] == b"II" else ">"
    every = _tags(image, order)
    tags = {number: tag for number, tag in every.items() if number in _KEPT}
    if ORIENTATION not in tags and _XMP in every:
        turned = orientation_in(None, every[_XMP].value)
        tags[ORIENTATION] = _Tag(_SHORT, 1, struct.pack(f"{order}H", turned))
    if _first(tags, _COMPRESSION, order, _UNCOMPRESSED) == _OLD_JPEG:
        raise ImageTypeUnsupported("expected another compression of a TIFF than old JPEG (6); convert it to JPEG")
    tiled = _TILES in every
    places, counts = (_TILES, _TILE_COUNTS) if tiled else (_STRIPS, _STRIP_COUNTS)
    if places not in every:
        return image
    starts = every[places].numbers(order)
    sizes = _strip_sizes(tags, order, len(starts)) if not tiled else None
    if sizes is None:
        sizes = every[counts].numbers(order) if counts in every else [len(image)] * len(starts)
    data = [memoryview(image)[start : start + size] for start, size in zip(starts, sizes, strict=False)]
    if sum(map(len, data)) > len(image):
        raise ImageCorrupt("the TIFF image has strips that share bytes; write it anew")
    return _written(image[:2], order, tags, (places, counts), [bytes(piece) for piece in data])


def _tags(image: bytes, order: str) -> Mapping[int, _Tag]:
    """The tags of the first image; of those with too many values, or values beyond the end, none."""
    big = 43 in image[2:4]
    (at,) = struct.unpack_from(f"{order}Q" if big else f"{order}I", image, 8 if big else 4)
    (count,) = struct.unpack_from(f"{order}Q" if big else f"{order}H", image, at)
    entry, room = (20, 8) if big else (12, 4)
    at, found = at + (8 if big else 2), dict[int, _Tag]()
    for place in range(at, min(at + min(count, 0xFFFF) * entry, len(image) - entry + 1), entry):
        number, kind = struct.unpack_from(f"{order}HH", image, place)
        values, start = struct.unpack_from(f"{order}QQ" if big else f"{order}II", image, place + 4)
        size = _SIZES.get(kind, 0) * values
        if size <= room:
            start = place + entry - room
        if 0 < size <= _MOST_VALUE and start + size <= len(image):
            found[number] = _shortened(_Tag(kind, values, image[start : start + size]), order)
    return found


def _shortened(tag: _Tag, order: str) -> _Tag:
    """A tag without whole numbers of 64 bits, which only a BigTIFF has."""
    if tag.kind != _LONG8:
        return tag
    return _Tag(_LONG, tag.values, struct.pack(f"{order}{tag.values}I", *tag.numbers(order)))


def _first(tags: Mapping[int, _Tag], number: int, order: str, otherwise: int) -> int:
    """The first value of a tag."""
    return next(iter(tags[number].numbers(order)), otherwise) if number in tags else otherwise


def _strip_sizes(tags: Mapping[int, _Tag], order: str, count: int) -> Sequence[int] | None:
    """Bytes of each strip by the size of the image, whatever the file says; None where they are compressed."""
    if _first(tags, _COMPRESSION, order, _UNCOMPRESSED) != _UNCOMPRESSED:
        return None
    width, length = _first(tags, _WIDTH, order, 0), _first(tags, _LENGTH, order, 0)
    rows = min(_first(tags, _ROWS, order, length) or length, length)
    bits = tags[_BITS].numbers(order) if _BITS in tags else (1,)
    separate = _first(tags, _PLANAR, order, 1) == 2
    row = (width * (max(bits, default=1) if separate else sum(bits)) + 7) // 8
    each = max(1, -(-length // max(1, rows)))
    return [row * min(rows, length - place % each * rows) for place in range(count)]


def _written(
    start: bytes, order: str, tags: Mapping[int, _Tag], names: tuple[int, int], data: Sequence[bytes]
) -> bytes:
    """A TIFF of these tags and pieces of data, whose places and sizes get these tags."""
    numbers = sorted({*tags, *names})
    behind = 8 + 2 + 12 * len(numbers) + 4
    entries, values = list[bytes](), list[bytes]()
    lists = dict.fromkeys(names, b"")
    room = sum(_even(len(tag.value)) for tag in tags.values() if len(tag.value) > 4)
    place = behind + room + (2 * 4 * len(data) if len(data) > 1 else 0)
    for piece in data:
        lists[names[0]] += struct.pack(f"{order}I", place)
        lists[names[1]] += struct.pack(f"{order}I", len(piece))
        place += _even(len(piece))
    for number in numbers:
        tag = tags.get(number) or _Tag(_LONG, len(data), lists[number])
        if len(tag.value) > 4:
            value = struct.pack(f"{order}I", behind)
            values.append(tag.value + bytes(len(tag.value) % 2))
            behind += len(values[-1])
        else:
            value = tag.value.ljust(4, b"\0")
        entries.append(struct.pack(f"{order}HHI", number, tag.kind, tag.values) + value)
    head = start + struct.pack(f"{order}HI", 42, 8) + struct.pack(f"{order}H", len(entries))
    pieces = [piece + bytes(len(piece) % 2) for piece in data]
    return b"".join([head, *entries, bytes(4), *values, *pieces])


def _even(size: int) -> int:
    return size + size % 2


_FILE_HEADER, _OLD_HEADER = 14, 12
_RUNS = (1, 2)
"""Compressions whose size the header says."""


def bmp_without_rest(image: bytes) -> bytes:
    """Headers, colours and pixels of a BMP."""
    (offset, header) = struct.unpack_from("<II", image, 10)
    if header == _OLD_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", image, 18)
        compression = size = colours = 0
    else:
        width, height, _, bits, compression, size = struct.unpack_from("<iiHHII", image, 18)
        (colours,) = struct.unpack_from("<I", image, 46)
    top = _FILE_HEADER + header + ({3: 12, 6: 16}.get(compression, 0) if header == 40 else 0)
    if bits <= 8:
        top += (3 if header == _OLD_HEADER else 4) * min(colours or 1 << bits, 1 << 8)
    offset = offset or top
    if compression not in _RUNS or not size:
        size = (abs(width) * bits + 31) // 32 * 4 * abs(height)
    if compression in _RUNS and not struct.unpack_from("<I", image, 34)[0]:
        size = len(image)
    top = min(top, offset)  # colours may be fewer than the header says
    pixels = image[offset : offset + size]
    return b"BM" + struct.pack("<IHHI", top + len(pixels), 0, 0, top) + image[14:top] + pixels
