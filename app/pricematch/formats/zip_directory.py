"""The directory at the end of a ZIP file, looked at before a library reads all of it into memory.

PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.12 to 4.3.16.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pricematch.errors import ImportRefused

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_COMMENT = 0xFFFF
_ENTRY_BYTES = 512
"""Of an entry on average, at most: 46 and its name, of which a catalogue's take some dozens."""


@dataclass(frozen=True, slots=True)
class Directory:
    """What a ZIP file says of itself at its end.

    Attributes:
        members: how many, counted.
        offset: bytes before the directory.
    """

    members: int
    offset: int


def read_directory(path: Path, name: str, most: int) -> Directory:
    """Find and walk the directory of a ZIP file.

    Args:
        path: the file.
        name: what errors call it.
        most: members.

    Raises:
        ImportRefused: it has more members.
        ValueError: it is no ZIP file, or one of several volumes, or damaged, or something stands before or behind it.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        announced, size, offset = _end(file)
        if announced > most or size > most * _ENTRY_BYTES:
            raise _too_many(name, most)
        file.seek(offset)
        members = 0
        for _ in _entries(file.read(size)):
            members += 1
            if members > most:
                raise _too_many(name, most)
        # without the 64-bit record the number is told modulo 65,536
        if announced != members and announced != members % (_COMMENT + 1):
            raise ValueError(f"its end tells of {announced} members, its directory of {members}")
    return Directory(members, offset)


def _too_many(name: str, most: int) -> ImportRefused:
    return ImportRefused(f"{name}: expected at most {most} pictures, got more")


def _end(file: BinaryIO) -> tuple[int, int, int]:
    """Members, bytes of the directory, and where it begins, as the end of the file says."""
    whole = file.seek(0, 2)
    tail_at = max(0, whole - _END.size - _COMMENT)
    file.seek(tail_at)
    tail = file.read()
    place = len(tail) - _END.size
    if tail[place : place + 4] != b"PK\5\6" or tail[-2:] != b"\0\0":
        place = tail.rfind(b"PK\5\6")
    if place < 0 or place + _END.size > len(tail):
        raise ValueError("it has no end of a ZIP file")
    _, disk, first_disk, here, members, size, offset, comment = _END.unpack_from(tail, place)
    if place + _END.size + comment != len(tail):
        raise ValueError("something stands behind its end")
    end = tail_at + place
    if (large := _end64(file, end)) is not None:
        members, size, offset, end = large
    elif disk or first_disk or here != members:
        raise ValueError("it is one of several volumes")
    if offset + size != end:
        raise ValueError("something stands before it, or between its directory and its end")
    return members, size, offset


def _end64(file: BinaryIO, end: int) -> tuple[int, int, int, int] | None:
    """The same by the record of a large archive, and where that begins; None where there is none.

    It counts wherever it is, since `zipfile` takes it whether the other record is full or not.
    """
    if end < _LOCATOR.size + _END64.size:
        return None
    file.seek(end - _LOCATOR.size)
    mark, disk, place, disks = _LOCATOR.unpack(file.read(_LOCATOR.size))
    if mark != b"PK\6\7":
        return None
    if disk or disks > 1 or place != end - _LOCATOR.size - _END64.size:
        raise ValueError("it is one of several volumes, or its end is not in one piece")
    file.seek(place)
    mark, _, _, _, disk, first_disk, here, members, size, offset = _END64.unpack(file.read(_END64.size))
    if mark != b"PK\6\6" or disk or first_disk or here != members:
        raise ValueError("its record of a large archive is damaged")
    return members, size, offset, place


def _entries(directory: bytes) -> Iterator[int]:
    """Where each entry begins."""
    place = 0
    while place < len(directory):
        if place + _ENTRY.size > len(directory) or directory[place : place + 4] != b"PK\1\2":
            raise ValueError("its directory is damaged")
        fields = _ENTRY.unpack_from(directory, place)
        yield place
        place += _ENTRY.size + sum(fields[10:13])
    if place > len(directory):
        raise ValueError("its directory is damaged")
