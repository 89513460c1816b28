"""Image files by content: `<folder>/<2 hex>/<62 hex>`, named by their SHA-256; synced before a posting shows them."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from pricematch.errors import ImageUnavailable
from pricematch.formats.atomic_writes import sync_folder
from pricematch.store.folder import PRIVATE_FOLDER, held

_FILE = re.compile(r"[0-9a-f]{62}")
DIGEST_BYTES = 32


def image_digest(name: str) -> bytes:
    """The digest that 64 lower-case hexadecimal digits spell; raises ValueError."""
    digest = bytes.fromhex(name)
    if len(digest) != DIGEST_BYTES or digest.hex() != name:
        raise ValueError(f"expected a SHA-256 of 64 hexadecimal digits, got {name[:80]!r}")
    return digest


class ImageFiles:
    """Implements `ports.ImageSource`; an image's name is its digest in hexadecimal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> bytes:
        """The bytes of an image.

        Raises:
            ImageUnavailable: no such image, or its file does not hold what it held.
        """
        with self._unavailable(name):
            digest = image_digest(name)
            content = self.path(digest).read_bytes()
        self._check(digest, hashlib.sha256(content).digest())
        return content

    def open(self, name: str) -> BinaryIO:
        """The file of an image, whole and at its beginning, which takes no memory; raises as `read`."""
        with self._unavailable(name), ExitStack() as closed_if_bad:
            digest = image_digest(name)
            file = closed_if_bad.enter_context(self.path(digest).open("rb"))
            self._check(digest, hashlib.file_digest(file, "sha256").digest())
            file.seek(0)
            closed_if_bad.pop_all()
            return file

    @contextmanager
    def _unavailable(self, name: str) -> Iterator[None]:
        """Raise ImageUnavailable where the file of an image cannot be read."""
        try:
            yield
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ImageUnavailable(f"the image {name[:80]!r} is not in {self.folder} ({reason})") from error

    def _check(self, digest: bytes, found: bytes) -> None:
        if found != digest:
            raise ImageUnavailable(f"{self.path(digest)} does not hold the image it is named by")

    def path(self, digest: bytes) -> Path:
        """Where an image is, if it is."""
        name = digest.hex()
        return self.folder / name[:2] / name[2:]

    def has(self, digest: bytes) -> bool:
        """Whether there is a file of an image; what it holds is checked when it is read."""
        return self.path(digest).is_file()

    def holds(self, digest: bytes, content: bytes) -> bool:
        """Whether the file of an image is there and right."""
        try:
            path = self.path(digest)
            return path.stat().st_size == len(content) and path.read_bytes() == content
        except OSError:
            return False

    def remove(self, digest: bytes) -> None:
        """Delete the file of an image, if there is one."""
        self.path(digest).unlink(missing_ok=True)

    def move(self, digest: bytes, other: "ImageFiles") -> None:
        """Move the file of an image to another folder on the same file system; it is as old as the move."""
        target = other.path(digest)
        for folder in (other.folder, target.parent):
            folder.mkdir(PRIVATE_FOLDER, exist_ok=True)
        os.utime(self.path(digest))  # before it is where its age counts
        self.path(digest).replace(target)

    def take_back(self, digest: bytes, other: "ImageFiles") -> bool:
        """Move the file of an image here from another folder, if it is there and right; whether it was."""
        try:
            other.read(digest.hex())
        except ImageUnavailable:
            return False
        other.move(digest, self)
        return True

    def digests(self, prefix: bytes) -> set[bytes]:
        """Digests there are files of, by their first byte."""
        try:
            with os.scandir(self.folder / prefix.hex()) as entries:
                return {prefix + bytes.fromhex(entry.name) for entry in entries if _FILE.fullmatch(entry.name)}
        except FileNotFoundError:
            return set()


class IncomingImages:
    """Writes images to another folder first, and moves them in place inside the transaction that needs them.

    Made by `incoming_images`.
    """

    def __init__(self, folder: Path, images: ImageFiles) -> None:
        self._folder = folder
        self._images = images
        self._waiting: dict[bytes, Path] = {}
        self._stored: dict[bytes, bytes] = {}

    def write(self, digest: bytes, content: bytes) -> None:
        """Write an image, unless it is stored already; raises OSError."""
        if self._images.holds(digest, content):
            self._stored[digest] = content
        elif digest not in self._waiting:
            self._write(digest, content)

    def place(self) -> None:
        """Move the written images in place, for good; only in a transaction that writes. Raises OSError."""
        for digest, content in self._stored.items():
            if not self._images.has(digest):  # deleted since, with the last posting that showed it
                self._write(digest, content)
        folders = set()
        for digest, path in self._waiting.items():
            target = self._images.path(digest)
            if not target.parent.is_dir():
                target.parent.mkdir(PRIVATE_FOLDER, exist_ok=True)
                folders.add(target.parent.parent)
            path.replace(target)
            folders.add(target.parent)
        for folder in folders:
            sync_folder(folder)
        self._waiting.clear()
        self._stored.clear()

    def _write(self, digest: bytes, content: bytes) -> None:
        descriptor, name = tempfile.mkstemp(dir=self._folder)
        self._waiting[digest] = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)

    def discard(self) -> None:
        """Delete what was not moved."""
        for path in self._waiting.values():
            path.unlink(missing_ok=True)


@contextmanager
def incoming_images(folder: Path, images: ImageFiles, wait_seconds: float) -> Iterator[IncomingImages]:
    """Images that are written in `folder`, which is on the file system of `images`; it is not swept meanwhile."""
    with held(folder, shared=True, wait_seconds=wait_seconds):
        incoming = IncomingImages(folder, images)
        try:
            yield incoming
        finally:
            incoming.discard()


def sweep_incoming(folder: Path) -> None:
    """Delete what processes that ended left behind; raises StoreUnavailable while others are writing."""
    with held(folder, wait_seconds=1.0):
        for path in folder.iterdir():
            path.unlink()
