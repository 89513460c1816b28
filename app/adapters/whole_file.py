"""Files that are written whole or not at all."""

import os
import tempfile
from pathlib import Path

from app.errors import SettingsError


def make_folder(folder: Path) -> None:
    """Make a folder to write into, if it is absent; raises SettingsError if it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise SettingsError(f"{folder} cannot be written to ({error.strerror})") from error


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file by one rename, so that nobody ever sees half of it; raises SettingsError."""
    try:
        _replace(path, content)
    except OSError as error:
        raise SettingsError(f"cannot write {path} ({error.strerror})") from error


def _replace(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)  # as a file that was opened the usual way
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
