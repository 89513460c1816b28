"""Anybody's embeddings: a NumPy file whose row i belongs to row i of a catalogue."""

from pathlib import Path
from tokenize import TokenError

import numpy as np

from pricematch.catalogue.features import Embeddings
from pricematch.errors import SettingsError

_DAMAGED = (ValueError, OverflowError, TypeError, MemoryError, SyntaxError, TokenError)
"""What NumPy raises over a header that is damaged."""


def read_embeddings(path: Path, postings: int) -> Embeddings:
    """Embeddings [n, d] at unit length from a `.npy` file of float32 [n, d], without pickle.

    Args:
        path: the file.
        postings: the n that is expected.

    Raises:
        SettingsError: it cannot be read, is of another kind or shape, or has a row that is not finite or all zero; says
            which row, counted as the catalogue's CSV file is: the header is row 1.
    """
    try:
        # mapped, so that a header that promises more than the file holds costs nothing
        values = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    except _DAMAGED as error:
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
