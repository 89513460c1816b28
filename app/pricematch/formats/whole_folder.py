"""Folders that appear under their name complete, or not at all."""

import os
import shutil
import time
from pathlib import Path

from pricematch.errors import ArtefactExists, SettingsError

_ABANDONED = 3600
"""Seconds after which a folder that is still staged belongs to nobody; writing one takes a few."""


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
        _sync_folder(target.parent)
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
        _sync_folder(path)


def _sync_folder(folder: Path) -> None:
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
