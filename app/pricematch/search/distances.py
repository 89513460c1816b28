"""Cosine distances of dense rows, exact: float32 picks the pairs worth a closer look, float64 says how far they are.

Matrix products in float32 only pick pairs, with room for their rounding; what counts is the distance of a pair computed
in float64 from its two rows alone. So it does not depend on the block a pair falls into, on the processor's matrix
kernels or on their threads (as many as NumPy's BLAS is configured for), it is the same in both directions, and equal
rows are at equal distances from every other. Distances are rounded to 15 decimals, as scikit-learn's OPTICS does: what
differs by less is a tie.
"""

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings

_DECIMALS = 15
_VALUES_AT_ONCE = 4 * 1024 * 1024


def unit_rows(embeddings: Embeddings) -> NDArray[np.float64]:
    """The rows at unit length, those of zeros as they are."""
    exact = embeddings.astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", exact, exact))
    lengths[lengths == 0] = 1
    exact /= lengths[:, np.newaxis]
    return exact


def rounding_of(embeddings: Embeddings) -> float:
    """More than a float32 product of two unit rows can be off: d + 4 roundings of at most 2⁻²⁴, doubled."""
    return float((embeddings.shape[1] + 4) * 2.0**-23)


def distances(
    left: NDArray[np.float64],
    left_rows: NDArray[np.integer],
    right: NDArray[np.float64],
    right_rows: NDArray[np.integer],
) -> NDArray[np.float64]:
    """1 − cosine of pairs of rows of unit length, in 0…2, rounded to 15 decimals.

    That is half the square of their difference, which is exactly 0 where they are equal.
    """
    found = np.empty(len(left_rows))
    step = max(1, _VALUES_AT_ONCE // max(1, left.shape[1]))
    for first in range(0, len(left_rows), step):
        piece = slice(first, first + step)
        difference = left[left_rows[piece]]
        difference -= right[right_rows[piece]]
        found[piece] = _halved_squares(difference)
    return found


def distances_to(row: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """The `distances` of one row [d] and each of some others [m, d]."""
    return _halved_squares(others - row)


def _halved_squares(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    halved = np.einsum("ij,ij->i", difference, difference) / 2
    return np.asarray(np.round(np.clip(halved, 0, 2), _DECIMALS))
