"""The folder of images a catalogue names; nothing outside it is ever opened."""

import os
import stat
from pathlib import Path

from pricematch.errors import ImageTooLarge, ImageUnavailable


class ImageFolder:
    """Implements `ports.ImageSource`.

    Args:
        root: the folder.
        max_bytes: size beyond which an image is not read.
        called: what errors call the folder; its path if None.
    """

    def __init__(self, root: Path, max_bytes: int, called: str | None = None) -> None:
        self._root = root.resolve()
        self._max_bytes = max_bytes
        self._called = called or str(self._root)

    def read(self, name: str) -> bytes:
        """The bytes of the image `name`, a path relative to the folder.

        Raises:
            ImageUnavailable: no such file, no regular file, or a path that leaves the folder (also through a link).
            ImageTooLarge: more bytes than the limit.
        """
        path = self._inside(name)
        try:
            # O_NONBLOCK: opening a FIFO that took the file's place must not wait for a writer
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise ImageUnavailable(f"{name!r} cannot be opened in {self._called} ({error.strerror})") from error
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ImageUnavailable(f"expected a regular file, got something else at {name!r}")
            if status.st_size > self._max_bytes:
                raise ImageTooLarge(f"expected at most {self._max_bytes} bytes, got {status.st_size} in {name!r}")
            return file.read(self._max_bytes)

    def _inside(self, name: str) -> Path:
        if "\0" in name or "://" in name or Path(name).is_absolute():
            raise ImageUnavailable(f"expected a file name inside the image folder, got {name[:200]!r}")
        try:
            path = (self._root / name).resolve()
            mode = path.lstat().st_mode if path.is_relative_to(self._root) else None
        except (OSError, RuntimeError) as error:
            raise ImageUnavailable(f"{name[:200]!r} is not in {self._called}") from error
        if mode is None:
            raise ImageUnavailable(
                f"expected a file inside the image folder, got {name[:200]!r}, which leads out of it"
            )
        if not stat.S_ISREG(mode):
            raise ImageUnavailable(f"expected a regular file, got something else at {name[:200]!r}")
        return path


def folder_within(root: Path, name: str) -> Path | None:
    """The folder with a relative path in `root`, which may be `root` itself; None where it leads out of it or is none.

    Links are followed, and count for where they lead.
    """
    if "\0" in name or "://" in name or Path(name).is_absolute():
        return None
    try:
        root = root.resolve(strict=True)
        path = (root / name).resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    return path if path.is_relative_to(root) and path.is_dir() else None
