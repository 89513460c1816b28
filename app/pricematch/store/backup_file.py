"""Backups as files: a tar of a manifest, a copy of the database, and the pictures it shows, by digest."""

import json
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

FORMAT = 1
MANIFEST, DATABASE = "backup.json", "pricematch.sqlite3"
_BLOCK = tarfile.BLOCKSIZE
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself.

    Attributes:
        schema: version of the database's schema.
        catalogue_version: that it was taken at.
        created_at: when, as ISO 8601 in UTC.
        postings, verdicts, pictures: how many.
        database_digest: SHA-256 of the database, in hexadecimal.
    """

    schema: int
    catalogue_version: int
    created_at: str
    postings: int
    verdicts: int
    pictures: int
    database_digest: str


class BackupWriter:
    """Writes a backup to a file that is open: first the manifest and the database, then every picture."""

    def __init__(self, file: BinaryIO, manifest: Manifest, database: Path) -> None:
        self._file = file
        self._add(MANIFEST, json.dumps({"format": FORMAT, **asdict(manifest)}, indent=1).encode())
        size = database.stat().st_size
        self._begin(DATABASE, size)
        with database.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                file.write(chunk)
        self._pad(size)

    def add(self, digest: bytes, image: bytes) -> None:
        """Add a picture; digests ascend."""
        name = digest.hex()
        self._add(f"images/{name[:2]}/{name[2:]}", image)

    def end(self) -> None:
        """Say that this was all."""
        self._file.write(bytes(2 * _BLOCK))

    def _add(self, name: str, content: bytes) -> None:
        self._begin(name, len(content))
        self._file.write(content)
        self._pad(len(content))

    def _begin(self, name: str, size: int) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o644
        self._file.write(info.tobuf(tarfile.GNU_FORMAT))

    def _pad(self, size: int) -> None:
        self._file.write(bytes(-size % _BLOCK))
