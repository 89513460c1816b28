"""Picture files by content: `<folder>/<2 hex>/<62 hex>`, named by their SHA-256."""

import hashlib
import os
import re
from pathlib import Path

from pricematch.errors import ImageUnavailable

_FILE = re.compile(r"[0-9a-f]{62}")
DIGEST_BYTES = 32


def image_digest(name: str) -> bytes:
    """The digest that 64 lower-case hexadecimal digits spell; raises ValueError."""
    digest = bytes.fromhex(name)
    if len(digest) != DIGEST_BYTES or digest.hex() != name:
        raise ValueError(f"expected a SHA-256 of 64 hexadecimal digits, got {name[:80]!r}")
    return digest


class ImageFiles:
    """Implements `ports.ImageSource`; a picture's name is its digest in hexadecimal.

    Args:
        folder: where they are; made by whoever opens the store.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> bytes:
        """The bytes of a picture.

        Raises:
            ImageUnavailable: no such picture, or its file does not hold what it held.
        """
        try:
            digest = image_digest(name)
            content = self.path(digest).read_bytes()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ImageUnavailable(f"the picture {name[:80]!r} is not in {self.folder} ({reason})") from error
        if hashlib.sha256(content).digest() != digest:
            raise ImageUnavailable(f"{self.path(digest)} does not hold the picture it is named by")
        return content

    def path(self, digest: bytes) -> Path:
        """Where a picture is, if it is."""
        name = digest.hex()
        return self.folder / name[:2] / name[2:]

    def has(self, digest: bytes) -> bool:
        """Whether there is a file of a picture; what it holds is checked when it is read."""
        return self.path(digest).is_file()

    def holds(self, digest: bytes, content: bytes) -> bool:
        """Whether the file of a picture is there and right."""
        try:
            path = self.path(digest)
            return path.stat().st_size == len(content) and path.read_bytes() == content
        except OSError:
            return False

    def remove(self, digest: bytes) -> None:
        """Delete the file of a picture, if there is one."""
        self.path(digest).unlink(missing_ok=True)

    def digests(self, prefix: bytes) -> set[bytes]:
        """Digests there are files of, by their first byte."""
        try:
            with os.scandir(self.folder / prefix.hex()) as entries:
                return {prefix + bytes.fromhex(entry.name) for entry in entries if _FILE.fullmatch(entry.name)}
        except FileNotFoundError:
            return set()
