"""Arrays kept between starts in a NumPy file that anything may have happened to since."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,  # one array alone, without an archive around it
    EOFError,
    RuntimeError,
    MemoryError,  # a shape that says so
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy raises while it reads a file that is not what it should be."""


def read_kept(path: Path, names: Sequence[str]) -> tuple[NDArray[Any], ...] | None:
    """The arrays of these names in an `.npz`, in their order, of any shape and dtype but objects.

    None where the file is absent, damaged or no regular file (opening a pipe waits for somebody to write).
    """
    try:
        if not path.is_file():
            return None
        # opened here, because NumPy leaves a file open that turns out to be no archive
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            return tuple(kept[name] for name in names)
    except _DAMAGE:
        return None
