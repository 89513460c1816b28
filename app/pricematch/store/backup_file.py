"""Backup files: a tar of a manifest, a copy of the database, and the images it shows, by digest."""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from pricematch.errors import SettingsError, StoreDamaged, StoreNewer
from pricematch.store.image_files import image_digest
from pricematch.store.sqlite.schema import SCHEMA

FORMAT = 1
MANIFEST, DATABASE = "backup.json", "pricematch.sqlite3"
_BLOCK = tarfile.BLOCKSIZE
_CHUNK_BYTES = 1024 * 1024
_IMAGE = re.compile(r"images/([0-9a-f]{2})/([0-9a-f]{62})")
_MAX_MANIFEST_BYTES = 64 * 1024
_MAX_IMAGE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Manifest:
    """Metadata of a backup.

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
    """Writes a backup to a file that is open: first the manifest and the database, then every image."""

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
        """Add an image; digests ascend."""
        name = digest.hex()
        self._add(f"images/{name[:2]}/{name[2:]}", image)

    def end(self) -> None:
        """Write the end of the tar."""
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


class BackupReader:
    """Reads a backup: the manifest, then `copy_database`, then `images`, as often as they are wanted.

    Raises:
        StoreDamaged: it is no whole backup; this goes for every method.
        StoreNewer: a newer pricematch wrote it.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._bytes = path.stat().st_size
        self._images_at = 0
        self.manifest = self._read_manifest()

    def copy_database(self, target: Path) -> None:
        """Write the database to a file, and check its digest; raises OSError if it cannot be written."""
        name, size = self._member() or ("nothing", 0)
        if name != DATABASE:
            raise not_whole(self._path, f"expected {DATABASE}, got {name[:80]!r}")
        digest = hashlib.sha256()
        with target.open("wb") as file:
            for chunk in self._chunks(size):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != self.manifest.database_digest:
            raise not_whole(self._path, f"{DATABASE} has another digest than the manifest says")
        self._images_at = self._file.tell()

    def images(self) -> Iterator[tuple[bytes, bytes]]:
        """Digest and bytes of every image, checked, in ascending order of digests; all that there are."""
        self._file.seek(self._images_at)
        before, count = b"", 0
        while (member := self._member()) is not None:
            name, size = member
            named = _IMAGE.fullmatch(name)
            if named is None or size > _MAX_IMAGE_BYTES:
                raise not_whole(self._path, f"expected an image, got {name[:80]!r} of {size} bytes")
            digest, image = image_digest(named[1] + named[2]), b"".join(self._chunks(size))
            if hashlib.sha256(image).digest() != digest:
                raise not_whole(self._path, f"the image {digest.hex()} has another digest than its name says")
            if digest <= before:
                raise not_whole(self._path, "its images are not in order")
            yield digest, image
            before, count = digest, count + 1
        if count != self.manifest.pictures:
            raise not_whole(self._path, f"it has {count} images, and its manifest says {self.manifest.pictures}")

    def _read_manifest(self) -> Manifest:
        name, size = self._member() or ("nothing", 0)
        if name != MANIFEST or size > _MAX_MANIFEST_BYTES:
            raise not_whole(self._path, f"expected {MANIFEST}, got {name[:80]!r}")
        try:
            values = json.loads(b"".join(self._chunks(size)))
        except (ValueError, RecursionError) as error:
            raise not_whole(self._path, f"{MANIFEST} is no JSON") from error
        odd = not_whole(self._path, f"{MANIFEST} does not say what it should")
        if not isinstance(values, dict):
            raise odd
        for what, known in (("format", FORMAT), ("schema", SCHEMA)):
            version = values.get(what)
            if isinstance(version, int) and version > known:
                raise StoreNewer(
                    f"{self._path} has {what} {version}, and this pricematch knows {known}; use a newer one"
                )
        kinds = {"format": int, **Manifest.__annotations__}
        if values.keys() != kinds.keys() or any(type(values[name]) is not kind for name, kind in kinds.items()):
            raise odd
        return Manifest(**{name: value for name, value in values.items() if name != "format"})

    def _member(self) -> tuple[str, int] | None:
        """Name and size of what follows; None at the end."""
        block = self._file.read(_BLOCK)
        if block == bytes(_BLOCK):
            # the second block of the two that end a tar, and what programs fill the last record with
            rest = self._file.read(tarfile.RECORDSIZE + 1)
            if not _BLOCK <= len(rest) <= tarfile.RECORDSIZE or rest.strip(b"\0"):
                raise not_whole(self._path, "it does not end as a tar does")
            return None
        try:
            info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.TarError, ValueError) as error:
            raise not_whole(self._path, "it ends too early, or is no tar") from error
        if info.type != tarfile.REGTYPE or not 0 <= info.size <= self._bytes - self._file.tell():
            raise not_whole(
                self._path, f"expected a file, got {info.name[:80]!r} of type {info.type!r} and {info.size} bytes"
            )
        return info.name, info.size

    def _chunks(self, size: int) -> Iterator[bytes]:
        """The content of a member."""
        left = size
        while left > 0:
            chunk = self._file.read(min(left, _CHUNK_BYTES))
            if not chunk:
                raise not_whole(self._path, "it ends too early")
            left -= len(chunk)
            yield chunk
        self._file.read(-size % _BLOCK)


def not_whole(path: Path, why: str) -> StoreDamaged:
    """The error of a backup that cannot be used."""
    return StoreDamaged(f"{path} is no whole backup ({why}); nothing was changed")


def open_backup(path: Path) -> BinaryIO:
    """A backup to read; raises SettingsError."""
    if path.exists() and not path.is_file():
        raise SettingsError(f"cannot read {path} (it is no file)")
    try:
        return path.open("rb")
    except OSError as error:
        raise SettingsError(f"cannot read {path} ({error.strerror})") from error
