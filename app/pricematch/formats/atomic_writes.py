"""Files and folders that appear under their names complete, or not at all."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO

from pricematch.errors import ArtefactExists, SettingsError

_ABANDONED = 3600
"""Seconds after which a folder that is still staged belongs to nobody; writing one takes a few."""


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
    """Raise SettingsError if there is something that is no regular file, which a rename would replace."""
    try:
        mode = path.stat().st_mode  # which, unlike `is_file`, fails on links that lead to each other
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise SettingsError(f"cannot write {path} ({error.strerror})") from error
    if S_ISDIR(mode):
        raise SettingsError(f"cannot write {path} (it is a folder, not a file)")
    if not S_ISREG(mode):
        raise SettingsError(f"cannot write {path} (it is a device or a pipe, not a file)")


def make_folder(folder: Path, mode: int = 0o777) -> None:
    """Make a folder to write into, if it is absent; raises SettingsError if it cannot be written to."""
    check_folder(folder)
    try:
        folder.mkdir(mode, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written to ({error.strerror})") from error


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file by one rename, so that nobody ever sees half of it; raises SettingsError."""
    with whole_file(path) as file:
        file.write(content)


@contextmanager
def whole_file(path: Path, mode: int = 0o644) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of the one at `path` behind the block, unless that fails.

    Its folder is made if absent. Its mode is that of a file that was opened the usual way, if no other is given.

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
            Path(temporary).chmod(mode)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise SettingsError(f"cannot write {path} ({error.strerror})") from error


def move_whole(staged: Path, target: Path) -> Path:
    """Bring a folder to the disk and give it its final name by one rename.

    Raises:
        ArtefactExists: there is something at the target; it is left as it is.
        SettingsError: the target's folder cannot be written to.
    """
    try:
        _sync(staged)  # so that the rename cannot overtake the content
        target.parent.mkdir(parents=True, exist_ok=True)
        staged.rename(target)  # fails on a folder that is not empty
        sync_folder(target.parent)
    except OSError as error:
        if target.exists():
            raise ArtefactExists(f"{target} exists; versions are never overwritten") from error
        raise SettingsError(f"{target} cannot be written ({error.strerror})") from error
    return target


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync_folder(path)


def sync_folder(folder: Path) -> None:
    """Flush the names of a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove what processes that were killed left below a folder, staged under names that begin with `prefix`."""
    for staged in folder.glob(f"{prefix}*"):
        if time.time() - staged.lstat().st_mtime > _ABANDONED:
            shutil.rmtree(staged, ignore_errors=True)
