"""Files of an import: CSV, and ZIP as strangers make it, written byte by byte."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property


def csv_of(*rows: tuple[str, str, str]) -> bytes:
    """A file of postings: id, image, title."""
    return "".join(f"{','.join(row)}\n" for row in (("posting_id", "image", "title"), *rows)).encode()


def zip_of(contents: Mapping[str, bytes]) -> bytes:
    """A ZIP file of images."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as writer:
        for name, content in contents.items():
            writer.writestr(name, content)
    return packed.getvalue()


@dataclass(frozen=True)
class Member:
    """A member, and what its two headers say of it; None: the truth."""

    name: bytes
    content: bytes = b"content"
    deflated: bool = False
    size: int | None = None
    compressed_size: int | None = None
    method: int | None = None
    flags: int = 0
    mode: int = 0
    offset: int | None = None
    local_name: bytes | None = None

    @cached_property
    def packed(self) -> bytes:
        """What is written."""
        if not self.deflated:
            return self.content
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return packer.compress(self.content) + packer.flush()

    def fields(self) -> tuple[int, int, int]:
        """CRC and both sizes."""
        packed = len(self.packed) if self.compressed_size is None else self.compressed_size
        return zlib.crc32(self.content), packed, len(self.content) if self.size is None else self.size

    def how(self) -> int:
        """Its method."""
        return self.method if self.method is not None else 8 if self.deflated else 0


def archive(
    members: Iterable[Member],
    *,
    before: bytes = b"",
    behind: bytes = b"",
    count: int | None = None,
    zip64: bool = False,
) -> bytes:
    """A ZIP file of some members, of which one with an `offset` has no bytes of its own."""
    body, entries = bytearray(before), bytearray()
    number = 0
    for member in members:
        number += 1
        place = len(body) if member.offset is None else member.offset
        if member.offset is None:
            name = member.local_name or member.name
            header = (b"PK\3\4", 20, member.flags, member.how(), 0, 0, *member.fields(), len(name), 0)
            body += struct.pack("<4s5H3L2H", *header) + name + member.packed
        entry = (b"PK\1\2", 0x31E, 20, member.flags, member.how(), 0, 0, *member.fields(), len(member.name), 0, 0, 0, 0)
        entries += struct.pack("<4s6H3L5H2L", *entry, member.mode << 16, place) + member.name
    told, start = number if count is None else count, len(body)
    end = b""
    if zip64:
        record = (b"PK\6\6", 44, 45, 45, 0, 0, told, told, len(entries), start)
        end = struct.pack("<4sQ2H2L4Q", *record) + struct.pack("<4sLQL", b"PK\6\7", 0, start + len(entries), 1)
    last = (b"PK\5\6", 0, 0, told & 0xFFFF, told & 0xFFFF, len(entries), start, 0)
    return bytes(body + entries) + end + struct.pack("<4s4H2LH", *last) + behind


def overlapping(kernel: Member, count: int) -> bytes:
    """Members that share the bytes of one (Fifield, A better zip bomb, 2019, without its quoting)."""
    names = (kernel.name + str(number).encode() for number in range(1, count))
    return archive([kernel, *(replace(kernel, name=name, offset=0) for name in names)])
