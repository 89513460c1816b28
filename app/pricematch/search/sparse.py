"""The nearest titles of a catalogue by their weighted grams, for its own titles and for new ones."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.search.candidates import Candidates, places, ranked, stacked

DECIMALS = 6
"""To which cosines are rounded: what differs by less is a tie."""
_BLOCK_VALUES = 4 * 1024 * 1024
_BLOCK_PAIRS = 64 * 1024


class VectorIndex:
    """Exact search by cosine among sparse rows.

    Args:
        vectors: float32 [n, d], rows of unit length or of zeros.
    """

    def __init__(self, vectors: csr_array) -> None:
        self.vectors = vectors

    @cached_property
    def _columns(self) -> csr_array:
        return self.vectors.T.tocsr()

    def __len__(self) -> int:
        return int(self.vectors.shape[0])

    def nearest_others(self, count: int) -> Candidates:
        """The `count` other rows with the highest cosine to each row, above 0."""
        return self._search(self.vectors, count, without_itself=True)

    def nearest(self, queries: csr_array, count: int, alive: NDArray[np.bool_] | None = None) -> Candidates:
        """The `count` rows with the highest cosine to each query, above 0.

        Args:
            queries: float32 [m, d] as the rows.
            count: rows a query, at most.
            alive: bool [n], which rows count; None: all.
        """
        return self._search(queries, count, without_itself=False, alive=alive)

    def similarities(self, lines: NDArray[np.integer], rows: NDArray[np.integer]) -> NDArray[np.float32]:
        """Cosines of pairs of rows, float32 [m], in 0…1."""
        return cosines(self.vectors, lines, self.vectors, rows)

    def _search(
        self, queries: csr_array, count: int, *, without_itself: bool, alive: NDArray[np.bool_] | None = None
    ) -> Candidates:
        parts = []
        block = max(1, _BLOCK_VALUES // max(1, len(self)))
        for first in range(0, queries.shape[0], block):
            cosine = (queries[first : first + block] @ self._columns).toarray()
            if without_itself:
                lines = np.arange(len(cosine))
                cosine[lines, first + lines] = 0
            if alive is not None:
                cosine[:, ~alive] = 0
            parts.append(_best(cosine, count))
        return stacked(parts, count)


def cosines(
    left: csr_array, lines: NDArray[np.integer], right: csr_array, rows: NDArray[np.integer]
) -> NDArray[np.float32]:
    """The cosine of each line of one matrix with a row of another, float32 [m], in 0…1, rounded to 6 decimals."""
    found = np.empty(len(lines), np.float32)
    for first in range(0, len(lines), _BLOCK_PAIRS):
        piece = slice(first, first + _BLOCK_PAIRS)
        found[piece] = left[lines[piece]].multiply(right[rows[piece]]).sum(axis=1)
    return np.clip(np.round(found, DECIMALS, out=found), 0, 1, out=found)


def _best(cosine: NDArray[np.float32], count: int) -> Candidates:
    """The highest values above 0 of each line of [m, n]."""
    lines, n = cosine.shape
    reach = min(count, n)
    if reach == 0:
        return ranked(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0), lines, count)
    last = np.partition(cosine, n - reach, axis=1)[:, n - reach, np.newaxis]
    line, row = places((cosine >= last - 10.0**-DECIMALS) & (cosine > 0))
    similarity = np.minimum(np.round(cosine[line, row].astype(np.float64), DECIMALS), 1)
    kept = similarity > 0
    return ranked(line[kept], row[kept], similarity[kept], lines, count)
