"""Pictures on their way into a store: on the disk before the posting that shows them is."""

import os
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from pricematch.store.folder_locks import held
from pricematch.store.image_files import ImageFiles


class IncomingImages:
    """Writes pictures beside the stored ones first, and moves them in place inside the transaction that needs them.

    Made by `incoming_images`.
    """

    def __init__(self, folder: Path, images: ImageFiles) -> None:
        self._folder = folder
        self._images = images
        self._waiting: dict[bytes, Path] = {}
        self._stored: dict[bytes, bytes] = {}

    def write(self, digest: bytes, content: bytes) -> None:
        """Write a picture, unless it is stored already; raises OSError."""
        if self._images.holds(digest, content):
            self._stored[digest] = content
        elif digest not in self._waiting:
            self._write(digest, content)

    def place(self) -> None:
        """Move what was written to where it belongs, for good; only while nobody else may write. Raises OSError."""
        for digest, content in self._stored.items():
            if not self._images.has(digest):  # deleted since, with the last posting that showed it
                self._write(digest, content)
        folders = set()
        for digest, path in self._waiting.items():
            target = self._images.path(digest)
            if not target.parent.is_dir():
                target.parent.mkdir(exist_ok=True)
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
            os.fchmod(descriptor, 0o644)

    def discard(self) -> None:
        """Delete what was not moved."""
        for path in self._waiting.values():
            path.unlink(missing_ok=True)


@contextmanager
def incoming_images(folder: Path, images: ImageFiles, wait_seconds: float) -> Iterator[IncomingImages]:
    """Pictures that are written in `folder`, which is on the file system of `images`, and nobody sweeps meanwhile."""
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


def missing(images: ImageFiles, digests: Collection[bytes]) -> bytes | None:
    """One of these pictures that has no file, if any."""
    return next((digest for digest in digests if not images.has(digest)), None)


def sync_folder(folder: Path) -> None:
    """Have the names of a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
