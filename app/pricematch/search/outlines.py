"""Outlines of dense rows: a few values each, by which most rows are ruled out of a search without being read.

A row is its part in a few directions and a rest that is orthogonal to them. The product of two rests is at most that of
their lengths (Cauchy–Schwarz), so the product of two parts plus that of the lengths is a bound of the cosine.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.search.distances import unit_rows

ROUNDING = 2e-5
"""More than float32 takes off a bound."""
FEWEST_ROWS = 2048
"""Of fewer all are read sooner."""
_DIMENSIONS = range(96, 1025)
_SAMPLED = 4096
_SHARE = 0.9
"""Of the squares of the rows, what their parts hold: with more the parts are longer, with less the bounds are wider."""
_MOST_OF_ROW = 3
_BLOCK_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Outline:
    """Outlines of n rows. Immutable.

    Attributes:
        directions: float64 [d, r], orthonormal.
        rows: float32 [n, r + 1], the part of each row at unit length, and the length of its rest; zeros where a row is.
    """

    directions: NDArray[np.float64]
    rows: NDArray[np.float32]

    @classmethod
    def of(cls, embeddings: Embeddings) -> "Outline | None":
        """The outlines of embeddings [n, d], in the directions most of them lie in; None where they would not pay.

        They do not where rows are few or short, or lie in no few directions. What they are is no matter of what is
        found: a bound is a bound in any directions.
        """
        count, dimension = embeddings.shape
        if count < FEWEST_ROWS or dimension not in _DIMENSIONS:
            return None
        sample = unit_rows(embeddings[:: -(-count // _SAMPLED)])
        values, directions = np.linalg.eigh(sample.T @ sample)
        held = np.cumsum(values[::-1])
        width = int(np.searchsorted(held, _SHARE * held[-1])) + 1
        if (width + 1) * _MOST_OF_ROW > dimension:
            return None
        chosen = np.ascontiguousarray(directions[:, ::-1][:, :width])
        rows = np.empty((count, width + 1), np.float32)
        for first in range(0, count, _BLOCK_ROWS):
            piece = slice(first, first + _BLOCK_ROWS)
            rows[piece] = _outlined(unit_rows(embeddings[piece]), chosen)
        return cls(chosen, rows)

    def bounds(self, query: NDArray[np.float64]) -> NDArray[np.float32]:
        """What the cosine of each row to a query of unit length [d] is at most, but for `ROUNDING`; float32 [n]."""
        outlined = _outlined(query[np.newaxis], self.directions)[0]
        return np.asarray(self.rows @ outlined.astype(np.float32))


def _outlined(rows: NDArray[np.float64], directions: NDArray[np.float64]) -> NDArray[np.float64]:
    part = rows @ directions
    rest = np.einsum("ij,ij->i", rows, rows) - np.einsum("ij,ij->i", part, part)
    return np.column_stack([part, np.sqrt(np.maximum(rest, 0))])
