"""The folder of images a catalogue names; nothing outside it is ever opened."""

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pricematch.errors import ImageTooLarge, ImageUnavailable
from pricematch.formats.image_names import ImageNames

_MAX_FILES = 1_000_000
"""Files that are listed to find an image under another name."""


class ImageFolder:
    """Implements `ports.ImageSource`; safe to use from several threads.

    Args:
        root: the folder.
        max_bytes: size beyond which an image is not read.
        called: what errors call the folder; its path if None.
    """

    def __init__(self, root: Path, max_bytes: int, called: str | None = None) -> None:
        self._root = root.resolve()
        self._max_bytes = max_bytes
        self._called = called or str(self._root)
        self._names: ImageNames | None = None

    def read(self, name: str) -> bytes:
        """The bytes of the image `name`, a path relative to the folder.

        Raises:
            ImageUnavailable: no such file, no regular file, or a path that leaves the folder (also through a link).
            ImageTooLarge: more bytes than the limit.
        """
        path = self._found(name)
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

    def _found(self, name: str) -> Path:
        """Where an image is, by its name or, if there is none of that name, by the name that `ImageNames` finds."""
        try:
            return self._inside(name)
        except _Absent as absent:
            if self._names is None:
                self._names = ImageNames(islice(_files(self._root), _MAX_FILES))
            if (found := self._names.find(name)) is None:
                raise ImageUnavailable(f"{absent}{self._names.hint(name)}") from absent
        return self._inside(found)

    def _inside(self, name: str) -> Path:
        if "\0" in name or "://" in name or Path(name).is_absolute():
            raise ImageUnavailable(f"expected a file name inside the image folder, got {name[:200]!r}")
        try:
            path = (self._root / name).resolve()
            mode = path.lstat().st_mode if path.is_relative_to(self._root) else None
        except (OSError, RuntimeError) as error:
            raise _Absent(f"{name[:200]!r} is not in {self._called}") from error
        if mode is None:
            raise ImageUnavailable(
                f"expected a file inside the image folder, got {name[:200]!r}, which leads out of it"
            )
        if not stat.S_ISREG(mode):
            raise ImageUnavailable(f"expected a regular file, got something else at {name[:200]!r}")
        return path


class _Absent(ImageUnavailable):
    """There is no such file, and the name leads nowhere else."""


def _files(root: Path) -> Iterator[str]:
    """The files in a folder and those in it, by their relative paths."""
    for at, _, names in os.walk(root):
        for name in names:
            yield os.path.relpath(Path(at, name), root)


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
