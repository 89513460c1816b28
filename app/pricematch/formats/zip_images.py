"""Images in a ZIP file that a stranger sent: checked before it is opened, read in pieces, never unpacked."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pricematch.errors import ImageCorrupt, ImageTooLarge, ImageUnavailable, ImportRefused
from pricematch.formats.image_names import ImageNames, is_junk, plain

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_EXTRA = struct.Struct("<2H")
_PATH = struct.Struct("<BL")
_COMMENT = 0xFFFF
_ENTRY_BYTES = 512
"""Of an entry on average, at most: 46 and its name, of which a catalogue's take some dozens."""
_PIECE = 64 * 1024
_UNSUSPECTED = 16 * 1024 * 1024
"""Bytes that an archive may hold however small it is itself: a few drawings compress well."""
_UTF8, _UNICODE_PATH = 0x800, 0x7075
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_METHODS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
_NAME_CHARACTERS = 1024
_LOCAL_HEADER = 30


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """What an archive may hold.

    Attributes:
        members: so many.
        image_bytes: of one image.
        total_bytes: of all members together, uncompressed.
        ratio: so many times the bytes of the archive, if it is more than 16 MiB.
    """

    members: int
    image_bytes: int
    total_bytes: int
    ratio: int


class ZipImages:
    """Implements `ports.ImageSource`; an image's name is that of its member, as `ImageNames` finds it. Close it.

    Nothing is written to disk. The directory is checked whole first: number and sizes of members, names that lead
    elsewhere or occur twice, links, encryption, members that share bytes ("A better zip bomb", Fifield, 2019).

    Raises:
        ImportRefused: it is no ZIP file, a damaged one, or more than it may be; the message has the given name.
    """

    def __init__(self, path: Path, name: str, limits: ZipLimits) -> None:
        self._name, self._limits = name, limits
        try:
            count, offset = _read_directory(path, name, limits.members)
            self._zip = zipfile.ZipFile(path)
        except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
            raise ImportRefused(f"{name}: cannot be read as a ZIP file ({_reason(error)})") from error
        try:
            self._members = self._checked(count, offset, path.stat().st_size)
            self._names = ImageNames(self._members)
        except BaseException:
            self._zip.close()
            raise

    def read(self, name: str) -> bytes:
        """The bytes of an image.

        Raises:
            ImageUnavailable: no member has that name.
            ImageTooLarge: it has more bytes than the limit.
            ImageCorrupt: it is damaged, or not as the directory has it.
        """
        if (found := self._names.find(name)) is None:
            raise ImageUnavailable(f"{name[:200]!r} is not in the ZIP file{self._names.hint(name)}")
        member = self._members[found]
        if member.file_size > self._limits.image_bytes:
            raise ImageTooLarge(f"expected at most {self._limits.image_bytes} bytes, got {member.file_size}")
        try:
            content = self._read(member)
        except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise ImageCorrupt(f"it cannot be read from the ZIP file ({_reason(error)})") from error
        if len(content) != member.file_size:
            raise ImageCorrupt(f"expected the {member.file_size} bytes the ZIP file tells of, got {len(content)}")
        return content

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def _read(self, member: zipfile.ZipInfo) -> bytes:
        content = bytearray()
        with self._zip.open(member) as file:
            while len(content) <= member.file_size and (piece := file.read(_PIECE)):
                content += piece
        return bytes(content)

    def _checked(self, count: int, offset: int, size: int) -> dict[str, zipfile.ZipInfo]:
        """The members that are files, by name."""
        members = self._zip.infolist()
        if (len(members), self._zip.start_dir) != (count, offset):
            raise self._refused("its directory can be read in two ways")
        for member in members:
            if (why := _refusal(member)) is not None:
                raise self._refused(f"the member {_name_of(member)[:200]!r} {why}")
        total = sum(member.file_size for member in members)
        if total > self._limits.total_bytes:
            raise self._refused(f"expected at most {self._limits.total_bytes} bytes uncompressed, got {total}")
        if total > max(_UNSUSPECTED, self._limits.ratio * size):
            raise self._refused(f"expected at most {self._limits.ratio} times its own {size} bytes, got {total}")
        if (shared := _overlapping(members, offset)) is not None:
            raise self._refused(f"the member {_name_of(shared)[:200]!r} shares bytes with another")
        found = {_name_of(member): member for member in members}
        if len(found) < len(members):
            raise self._refused("expected each name once, got one twice")
        return {name: member for name, member in found.items() if not plain(name).endswith("/")}

    def _refused(self, why: str) -> ImportRefused:
        return ImportRefused(f"{self._name}: {why}")


def _name_of(member: zipfile.ZipInfo) -> str:
    """The name of a member: as its extra field says (APPNOTE.TXT 4.6.9), in UTF-8 if it can be, else in code page 437.

    macOS and many programs write UTF-8 without its flag.
    """
    if member.flag_bits & _UTF8:
        return member.orig_filename
    raw = member.orig_filename.encode("cp437")
    try:
        return (_extra_name(member.extra, raw) or raw).decode("utf-8")
    except UnicodeDecodeError:
        return member.orig_filename


def _extra_name(extra: bytes, raw: bytes) -> bytes | None:
    """The name in an extra field of UTF-8, if it belongs to the name of the member."""
    while len(extra) >= _EXTRA.size:
        tag, size = _EXTRA.unpack_from(extra)
        field, extra = extra[_EXTRA.size : _EXTRA.size + size], extra[_EXTRA.size + size :]
        if tag == _UNICODE_PATH and len(field) > _PATH.size and _PATH.unpack_from(field) == (1, zlib.crc32(raw)):
            return field[_PATH.size :]
    return None


def _refusal(member: zipfile.ZipInfo) -> str | None:
    """Why a member is none that an honest archive of images has, or None."""
    name, mode = _name_of(member), member.external_attr >> 16
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if member.compress_type not in _METHODS:
        return f"is compressed by method {member.compress_type}, expected {' or '.join(_METHODS.values())}"
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is a link or a device, expected a file"
    if len(name) > _NAME_CHARACTERS or not (is_junk(name) or _stays_inside(name)):
        return "has a name that leads elsewhere or cannot be one"
    return None


def _stays_inside(name: str) -> bool:
    """Whether a name is a relative path that goes down only, on any system."""
    parts = name.replace("\\", "/").removesuffix("/").split("/")
    printable = all(" " <= mark != "\x7f" and mark != ":" for mark in name)
    return printable and all(part not in {"", ".", ".."} for part in parts)


def _overlapping(members: Sequence[zipfile.ZipInfo], end: int) -> zipfile.ZipInfo | None:
    """A member whose bytes, according to the directory, reach into another's or into the directory."""
    by_place = sorted(members, key=lambda member: member.header_offset, reverse=True)
    for member in by_place:
        if member.header_offset + _LOCAL_HEADER + len(member.orig_filename) + member.compress_size > end:
            return member
        end = member.header_offset
    return None


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _read_directory(path: Path, name: str, most: int) -> tuple[int, int]:
    """Find and walk the directory of a ZIP file, before a library reads all of it into memory.

    PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.12 to 4.3.16. Returns the number of members, and of bytes before the
    directory.

    Raises:
        ImportRefused: it has more than `most` members.
        ValueError: it is no ZIP file, or one of several volumes, or damaged, or has bytes before or behind it.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        announced, size, offset = _end(file)
        if announced > most or size > most * _ENTRY_BYTES:
            raise _too_many(name, most)
        file.seek(offset)
        members = _count_entries(file.read(size), most)
        if members > most:
            raise _too_many(name, most)
        # without the 64-bit record the number is stored modulo 65,536
        if announced != members and announced != members % (_COMMENT + 1):
            raise ValueError(f"its end tells of {announced} members, its directory of {members}")
    return members, offset


def _too_many(name: str, most: int) -> ImportRefused:
    return ImportRefused(f"{name}: expected at most {most} images, got more")


def _end(file: BinaryIO) -> tuple[int, int, int]:
    """Members, bytes of the directory, and where it begins, by the end of the file."""
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


def _count_entries(directory: bytes, most: int) -> int:
    """How many entries a directory has; counts no further than one more than `most`."""
    place = members = 0
    while place < len(directory):
        if place + _ENTRY.size > len(directory) or directory[place : place + 4] != b"PK\1\2":
            raise ValueError("its directory is damaged")
        members += 1
        if members > most:
            return members
        place += _ENTRY.size + sum(_ENTRY.unpack_from(directory, place)[10:13])
    if place > len(directory):
        raise ValueError("its directory is damaged")
    return members
