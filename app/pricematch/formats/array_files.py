"""NumPy files: embeddings that somebody made, and arrays that are kept between starts."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.errors import SettingsError
from pricematch.formats.atomic_writes import whole_file

_DIGEST_BYTES = 32
_BAD_HEADER = (ValueError, OverflowError, TypeError, MemoryError, SyntaxError, TokenError)
"""What NumPy raises over a header that is damaged."""
_BAD_ARCHIVE = (
    OSError,
    ValueError,
    KeyError,
    TypeError,  # one array alone, without an archive around it
    EOFError,
    RuntimeError,
    MemoryError,  # a shape that large
    zipfile.BadZipFile,
    zlib.error,
)
"""What NumPy raises while it reads a file that is not what it should be."""


def read_embeddings(path: Path, postings: int) -> Embeddings:
    """Embeddings [n, d] at unit length, for n postings, from a `.npy` file of float32 [n, d], without pickle.

    Raises:
        SettingsError: it cannot be read, is of another kind or shape, has a row that is not finite or all zero, named
            by its row in the catalogue's CSV file, whose header is row 1.
    """
    try:
        # mapped, so that a header that promises more than the file holds costs nothing
        values = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    except _BAD_HEADER as error:
        raise SettingsError(f"{path}: expected a file that np.save wrote, got something else ({error})") from error
    if values.dtype != np.float32 or values.ndim != 2 or 0 in values.shape[1:]:
        remedy = "; np.save(path, rows.astype('float32')) writes it" if values.ndim == 2 else ""
        raise SettingsError(f"{path}: expected float32 [n, d], got {values.dtype} {list(values.shape)}{remedy}")
    if len(values) != postings:
        raise SettingsError(f"{path}: expected a row for each of {postings} postings, got {len(values)} rows")
    lengths = np.linalg.norm(values.astype(np.float64), axis=1)
    bad = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if len(bad):
        what = "all zero" if lengths[bad[0]] == 0 else "not finite"
        raise SettingsError(
            f"{path}: {len(bad)} unusable row(s), the first belongs to row {bad[0] + 2} of the catalogue: {what}"
        )
    return np.ascontiguousarray(values / lengths[:, np.newaxis], dtype=np.float32)


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
    except _BAD_ARCHIVE:
        return None


class EmbeddingFile:
    """Implements `ports.EmbeddingStore` as `<folder>/<key>.npz`.

    Args:
        folder: made if absent.
        key: names the encoder, its weights and arithmetic; embeddings of other keys are never mixed in.
        dimension: length of an embedding.
    """

    def __init__(self, folder: Path, key: str, dimension: int) -> None:
        self._path = folder / f"{key}.npz"
        self._dimension = dimension

    def load(self) -> Mapping[bytes, NDArray[np.float32]]:
        """Embeddings by the 32-byte digest of their image; empty where the file is absent or damaged."""
        kept = read_kept(self._path, ("digests", "embeddings"))
        if kept is None or not self._whole(*kept):
            return {}
        digests, embeddings = kept
        return dict(zip((row.tobytes() for row in digests), embeddings, strict=True))

    def save(self, digests: Sequence[bytes], embeddings: Embeddings) -> None:
        """Replace the file, whole or not at all; digests are 32 bytes each, embeddings [n, d] belong to them.

        Raises:
            SettingsError: the folder cannot be written to, or is full.
        """
        table = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _DIGEST_BYTES)
        with whole_file(self._path, 0o600) as file:
            np.savez(file, digests=table, embeddings=embeddings)

    def _whole(self, digests: NDArray[np.uint8], embeddings: NDArray[np.float32]) -> bool:
        return (
            digests.dtype == np.uint8
            and embeddings.dtype == np.float32
            and digests.shape == (len(embeddings), _DIGEST_BYTES)
            and embeddings.shape == (len(digests), self._dimension)
            and bool(np.isfinite(embeddings).all())
            and bool(np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-4))
        )
