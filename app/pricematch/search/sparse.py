"""Exact nearest neighbours among sparse rows, by cosine."""

from functools import cached_property
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.search.candidates import Candidates, largest, stacked, top_k

DECIMALS = 6
"""To which cosines are rounded: what differs by less is a tie."""
_BLOCK_VALUES = 4 * 1024 * 1024
_BLOCK_PAIRS = 64 * 1024
_NONE = np.empty(0, np.intp)
_FEW_RUNS = 64
FEW_QUERIES = 8
"""Queries up to which it pays to look at each."""
FloatT = TypeVar("FloatT", bound=np.floating)


class SparseIndex:
    """Exact search by cosine among sparse rows. Immutable, safe to use from several threads.

    Cosines are in 0…1, rounded to 6 decimals. Rows without a value in common are no candidates.

    Args:
        vectors: float32 [n, d], rows of unit length or of zeros, no value below 0.
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
        return self._search(self.vectors, count, None, others=True)

    def nearest(self, queries: csr_array, count: int, alive: NDArray[np.bool_] | None = None) -> Candidates:
        """The `count` rows with the highest cosine to each query, above 0.

        Args:
            queries: float32 [m, d] as the rows.
            count: rows a query, at most.
            alive: bool [n], which rows may be candidates; None: all.
        """
        if queries.shape[0] > FEW_QUERIES:
            return self._search(queries, count, alive, others=False)
        return highest(self.compared(queries), count, alive)

    def compared(self, queries: csr_array) -> NDArray[np.float64]:
        """The cosine of each of a few queries [m, d] to all rows, float64 [m, n], not rounded."""
        columns, found = self._columns, np.zeros((queries.shape[0], len(self)))
        for line, (start, stop) in enumerate(pairwise(queries.indptr.tolist())):
            if start == stop:
                continue
            held = queries.indices[start:stop]
            begins, ends = columns.indptr[held], columns.indptr[held + 1]
            lists = [slice(*ends_of) for ends_of in zip(begins.tolist(), ends.tolist(), strict=True)]
            values = np.concatenate([columns.data[some] for some in lists])
            values *= np.repeat(queries.data[start:stop], ends - begins)
            found[line] = np.bincount(np.concatenate([columns.indices[some] for some in lists]), values, len(self))
        return found

    def _search(self, queries: csr_array, count: int, alive: NDArray[np.bool_] | None, *, others: bool) -> Candidates:
        """All rows that share a value with a query are compared, for at most four million pairs at a time."""
        parts = []
        block = max(1, _BLOCK_VALUES // max(1, len(self)))
        for first in range(0, queries.shape[0], block):
            some = queries if block >= queries.shape[0] else queries[first : first + block]
            cosine = some @ self._columns
            if alive is not None:
                cosine.data[~alive[cosine.indices]] = 0
            parts.append(_best(cosine, count, first if others else None))
        return stacked(parts, count)


def highest(compared: NDArray[np.float64], count: int, alive: NDArray[np.bool_] | None = None) -> Candidates:
    """The candidates of few queries, by what `SparseIndex.compared` returned; `alive` as for `SparseIndex.nearest`."""
    cosine = compared if alive is None else np.where(alive, compared, 0)
    near = [_highest(values, count) for values in cosine]
    query, row = np.repeat(np.arange(len(near)), [len(rows) for rows in near]), np.concatenate([_NONE, *near])
    similarity = rounded(cosine[query, row])
    kept = similarity > 0
    return top_k(query[kept], row[kept], similarity[kept], len(cosine), count)


def cosines(
    left: csr_array, left_rows: NDArray[np.integer], right: csr_array, right_rows: NDArray[np.integer]
) -> NDArray[np.float32]:
    """The cosine of pairs of rows of two matrices, float32 [m], in 0…1, rounded to 6 decimals.

    Where the left rows are few runs of one row each, as those of queries are, no matrix is made for the pairs.
    """
    found = np.empty(len(left_rows), np.float32)
    if (runs := runs_of(left_rows)) is not None:
        for run in runs:
            starts, ours, theirs = shared_values(left, left_rows[run.start], right, right_rows[run])
            found[run] = reduced(np.add, ours * theirs, starts)
    else:
        for first in range(0, len(left_rows), _BLOCK_PAIRS):
            piece = slice(first, first + _BLOCK_PAIRS)
            found[piece] = left[left_rows[piece]].multiply(right[right_rows[piece]]).sum(axis=1)
    return rounded(found)


def rounded(cosines: NDArray[FloatT]) -> NDArray[FloatT]:
    """Cosines in 0…1, rounded to 6 decimals."""
    return np.clip(np.round(cosines, DECIMALS), 0, 1)


def runs_of(rows: NDArray[np.integer]) -> list[slice] | None:
    """The runs of one row each, in order; None where they are many."""
    ends = np.flatnonzero(rows[1:] != rows[:-1]) + 1
    if len(ends) >= _FEW_RUNS:
        return None
    return [slice(start, stop) for start, stop in pairwise([0, *ends.tolist(), len(rows)]) if start < stop]


def shared_values(
    left: csr_array, left_row: int, right: csr_array, right_rows: NDArray[np.integer]
) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.float32]]:
    """Where a row of one matrix and some rows of another both have a value.

    Args:
        left: float32 [n, d], no zeros among its values.
        left_row: which of its rows.
        right: float32 [m, d].
        right_rows: [p], which of its rows.

    Returns:
        Where the values of each of `right_rows` start among the others, intp [p + 1]; the values of the left row, and
        those of the right ones, float32 each.
    """
    row = np.zeros(left.shape[1], np.float32)
    held = slice(left.indptr[left_row], left.indptr[left_row + 1])
    row[left.indices[held]] = left.data[held]
    begins = right.indptr[right_rows]
    sizes = right.indptr[right_rows + 1] - begins
    ends = np.cumsum(sizes)
    places = np.arange(ends[-1] if len(ends) else 0, dtype=begins.dtype)
    places += np.repeat(begins - ends.astype(begins.dtype) + sizes, sizes)
    values = row[right.indices[places]]
    both = np.flatnonzero(values)
    starts = np.concatenate([[0], np.searchsorted(both, ends)])
    return starts, values[both], right.data[places[both]]


def reduced(operation: np.ufunc, values: NDArray[np.float32], starts: NDArray[np.intp]) -> NDArray[np.float32]:
    """Values reduced from each start [p + 1] to the next, float32 [p]; 0 where there are none."""
    found, some = np.zeros(len(starts) - 1, np.float32), np.flatnonzero(starts[1:] > starts[:-1])
    if len(some):
        found[some] = operation.reduceat(values, starts[some])
    return found


def _best(cosine: csr_array, count: int, first: int | None) -> Candidates:
    """The highest values above 0 of each row of [m, n]; column i + `first` is row i itself, which is no candidate."""
    if first is not None:
        query = np.repeat(np.arange(cosine.shape[0]), np.diff(cosine.indptr))
        cosine.data[query + first == cosine.indices] = 0
    parts = [start + _highest(cosine.data[start:stop], count) for start, stop in pairwise(cosine.indptr.tolist())]
    near, query = np.concatenate([_NONE, *parts]), np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    similarity = rounded(cosine.data[near].astype(np.float64))
    kept = similarity > 0
    return top_k(query[kept], cosine.indices[near[kept]], similarity[kept], cosine.shape[0], count)


def _highest(values: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """Where the `count` highest of the values above 0 are, those included that rounding makes one of them."""
    # sorting all of them would take most of the time
    least = largest(values, count) - 10.0**-DECIMALS if 0 < count <= len(values) else 0.0
    return np.flatnonzero(values >= least if least > 0 else values > 0)
