"""How often a JPEG makes its decoder go over all its pixels, read from its markers before anything is decoded.

Each scan of a progressive JPEG may be a few bytes and takes as long as the whole image has pixels: 20 MiB have room
for a million and a half of them. Other segments are read one by one too, and 20 MiB have room for five million.
"""

import re

from pricematch.errors import ImageTooComplex

MOST_SCANS = 100
"""libjpeg writes 10."""
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""What is no marker: escaped bytes of a scan, restarts within it, fill bytes. What stands between segments is passed
over, as libjpeg does."""
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN, _TEMPORARY = 0xD8, 0xD9, 0xDA, 0x01
_MOST_SEGMENTS = 10_000
"""A colour profile has at most 255; the largest of other metadata that anybody writes have a few hundred."""


def check_scans(image: bytes, most: int) -> None:
    """Raise ImageTooComplex where a JPEG has more scans than `most`, or very many segments and fill bytes.

    Takes time in proportion to the bytes, and little of it: what is counted beyond the limit is only where a scan may
    begin.
    """
    if not image.startswith(b"\xff\xd8\xff"):
        return
    scans, segments, place = 0, 0, 2
    while (found := MARKER.search(image, place)) is not None:
        if not scans:
            segments += found.start() - place  # fill bytes, which are read one by one, too
        marker, place = image[found.end() - 1], found.end()
        if marker == _END_OF_IMAGE:
            return
        if marker in (_START_OF_IMAGE, _TEMPORARY):
            segments += 1
            _check_segments(segments)
            continue
        length = int.from_bytes(image[place : place + 2])
        if marker == _START_OF_SCAN:
            scans += 1
            if scans > most:
                more = image.count(b"\xff\xda", place + length)
                raise ImageTooComplex(f"expected at most {most} scans in a JPEG, got {scans + more}")
        else:
            segments += 1
            _check_segments(segments)
        place += max(length, 2)


def _check_segments(segments: int) -> None:
    if segments > _MOST_SEGMENTS:
        raise ImageTooComplex(f"expected at most {_MOST_SEGMENTS} segments and fill bytes in a JPEG, got more")
