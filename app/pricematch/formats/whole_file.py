"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO

from pricematch.errors import SettingsError


def check_folder(folder: Path) -> None:
    """Raise SettingsError if a folder cannot be written into, or made where it is absent; makes nothing."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise SettingsError(f"{folder} cannot be written to ({existing} is a file, not a folder)")
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written to ({error.strerror})") from error


def check_output(output: Path, inputs: Iterable[Path | None]) -> None:
    """Raise SettingsError if a file cannot be written, or is one of the inputs."""
    _check_kind(output)
    if output.exists() and any(path is not None and path.exists() and path.samefile(output) for path in inputs):
        raise SettingsError(f"cannot write {output} (it is read here, and would be lost)")
    check_folder(output.parent)


def _check_kind(path: Path) -> None:
    """Raise SettingsError if what is there is no regular file, which a rename would take the place of."""
    try:
        mode = path.stat().st_mode  # which, unlike `is_file`, tells of links that lead to each other
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise SettingsError(f"cannot write {path} ({error.strerror})") from error
    if S_ISDIR(mode):
        raise SettingsError(f"cannot write {path} (it is a folder, not a file)")
    if not S_ISREG(mode):
        raise SettingsError(f"cannot write {path} (it is a device or a pipe, not a file)")


def make_folder(folder: Path) -> None:
    """Make a folder to write into, if it is absent; raises SettingsError if it cannot be written to."""
    check_folder(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written to ({error.strerror})") from error


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file by one rename, so that nobody ever sees half of it; raises SettingsError."""
    with whole_file(path) as file:
        file.write(content)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of the one at `path` behind the block, unless that fails.

    Its folder is made if absent.

    Raises:
        SettingsError: the file cannot be written, or the disk is full.
    """
    _check_kind(path)
    try:
        path = path.resolve()  # what a link leads to is replaced, not the link
    except (OSError, RuntimeError) as error:
        raise SettingsError(f"cannot write {path} (its links lead nowhere)") from error
    make_folder(path.parent)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)  # as a file that was opened the usual way
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SettingsError(f"cannot write {path} ({error.strerror})") from error
