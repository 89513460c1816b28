"""Embeddings: float32 [n, d] rows of unit length."""

from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pricematch.errors import ModelOutputError

Embeddings: TypeAlias = NDArray[np.float32]
"""float32 [n, d], each row of Euclidean length 1, contiguous."""


def unit_rows(values: ArrayLike, dimension: int) -> Embeddings:
    """Scale each row to unit length.

    Args:
        values: what a network answered, any real dtype, [n, dimension].
        dimension: the d that is expected.

    Returns:
        float32 [n, dimension]; [0, dimension] for no rows.

    Raises:
        ModelOutputError: another shape, or a row that is not finite or has no direction (all zero).
    """
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != dimension:
        raise ModelOutputError(f"expected embeddings of shape [n, {dimension}], got {list(rows.shape)}")
    if not np.isfinite(rows).all():
        raise ModelOutputError("expected finite embeddings, got NaN or infinity")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise ModelOutputError("expected embeddings with a direction, got a row of zeros")
    return np.ascontiguousarray(rows / lengths, dtype=np.float32)
