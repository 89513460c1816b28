"""Graph features: what the neighbours of both ends of a pair say, given a first probability of every pair.

A pair whose neighbours agree gains, one that bridges two groups loses. The features are those of two rows of the
symmetric matrix of probabilities P, with 1 on its diagonal: the paths of two steps between the postings, the cosine and
the weighted Jaccard index (Ružička) of the rows, and how the pair stands out in each row.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from pricematch.pairs.neighbours import low_high
from pricematch.search.sparse import reduced, runs_of, shared_values

LEAST = 0.02
"""Probabilities below this are not kept in the graph."""
_STEPS = 2**24
"""Probabilities are kept to this many steps, so that a row and a probability fit one float64 exactly."""
_BLOCK = 128 * 1024
_FLOOR = 1e-3

GRAPH_FEATURES = (
    "first",
    "paths",
    "cosine",
    "jaccard",
    "best_path",
    "sum_low",
    "sum_high",
    "best_low",
    "best_high",
    "share_low",
    "share_high",
    "return_low",
    "return_high",
    "sure_low",
    "sure_high",
    "rank_low",
    "rank_high",
)
"""Names of the features, in order."""


@dataclass(frozen=True, eq=False)
class ProbabilityRows:
    """Rows of the matrix of probabilities: those of m postings, to all n.

    Attributes:
        matrix: float32 [m, n], without the probabilities below `LEAST`.
        sums, best: float64 [m], sum and maximum of each row, 0 where it is empty.
        squares: float64 [m], sum of squares.
        sure: intp [m], how many are above a half.
        ranked: float64, twice the row − probability of each entry, ascending; see `ranks`.
    """

    matrix: csr_array
    sums: NDArray[np.float64]
    best: NDArray[np.float64]
    squares: NDArray[np.float64]
    sure: NDArray[np.intp]
    ranked: NDArray[np.float64]

    @classmethod
    def of(cls, matrix: csr_array) -> "ProbabilityRows":
        """The rows of what `probability_matrix` returned, or of some rows and columns of it."""
        line = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        values = matrix.data.astype(np.float64)
        sums, squares = (np.bincount(line, it, matrix.shape[0]).astype(np.float64) for it in (values, values**2))
        best = np.zeros(matrix.shape[0])
        np.maximum.at(best, line, values)
        sure = np.bincount(line[values > 0.5], minlength=matrix.shape[0])
        return cls(matrix, sums, best, squares, sure, np.sort(2.0 * line - values))

    def ranks(self, rows: NDArray[np.integer], probabilities: NDArray[np.float64]) -> NDArray[np.intp]:
        """How many entries of each row are higher than a probability, [m]."""
        found: NDArray[np.intp] = np.searchsorted(self.ranked, 2.0 * rows - probabilities, side="left")
        return found - np.searchsorted(self.ranked, 2.0 * rows - 1.5, side="left")


def probability_matrix(
    left: NDArray[np.integer], right: NDArray[np.integer], probabilities: NDArray[np.float64], count: int
) -> csr_array:
    """The symmetric matrix of unordered pairs among `count` postings, each given once.

    Args:
        left: [p], one end of each pair.
        right: [p], the other end.
        probabilities: float64 [p].
        count: postings.

    Returns:
        float32 [count, count], without the diagonal and without probabilities below `LEAST`.
    """
    values = kept_probabilities(probabilities)
    kept = values > 0
    left, right, values = left[kept], right[kept], values[kept]
    ends = np.concatenate([left, right]), np.concatenate([right, left])
    return csr_array(coo_array((np.concatenate([values, values]), ends), shape=(count, count)))


def kept_probabilities(probabilities: NDArray[np.float64]) -> NDArray[np.float32]:
    """Probabilities as the matrix keeps them, float32: 0 where they are below `LEAST`."""
    values = _rounded(probabilities)
    return np.where(values >= LEAST, values, 0).astype(np.float32)


def graph_features(
    rows: ProbabilityRows,
    left: NDArray[np.integer],
    right: NDArray[np.integer],
    first: NDArray[np.float64],
    lacking: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """The features of pairs, float32 [p, `GRAPH_FEATURES`]; the same for (a, b) and (b, a).

    A pair of a posting and itself is one of it and its copy.

    Args:
        rows: of both ends of each pair.
        left: [p], which row is that of one end.
        right: [p], of the other end.
        first: float64 [p], the probabilities of the pairs that the rows were made of.
        lacking: bool [p], which pairs the rows were made without; each is looked at as if it alone were in them, too.
            None: only those of a posting and itself, whose own row lacks its copy.
    """
    kept, first = kept_probabilities(first).astype(np.float64), _rounded(first)
    added = np.where((left == right) | (False if lacking is None else lacking), kept, 0)
    sums, squares, sure = (
        (values[left] + more, values[right] + more)
        for values, more in ((rows.sums, added), (rows.squares, added**2), (rows.sure, added > 1 / 2))
    )
    best = np.maximum(rows.best[left], added), np.maximum(rows.best[right], added)
    paths, overlap, best_path = _steps(rows.matrix, left, right)
    shared = overlap + 2 * kept
    returned = [paths / np.maximum(total - kept, 10 * _FLOOR) for total in sums]
    columns = (
        first,
        paths,
        (paths + 2 * kept) / np.sqrt((1 + squares[0]) * (1 + squares[1])),
        shared / (sums[0] + sums[1] + 2 - shared),
        best_path,
        *low_high(*sums),
        *low_high(*best),
        *low_high(*(first / np.maximum(value, _FLOOR) for value in best)),
        *low_high(*returned),
        *low_high(*sure),
        *low_high(rows.ranks(left, first), rows.ranks(right, first)),
    )
    found = np.empty((len(left), len(GRAPH_FEATURES)), np.float32)
    for column, values in enumerate(columns):
        found[:, column] = values
    return found


def _rounded(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities to 24 bits, as the graph keeps them."""
    return np.round(probabilities * _STEPS) / _STEPS


def _steps(
    matrix: csr_array, left: NDArray[np.integer], right: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Of the two rows of each pair: sum of products, sum of minima, largest product; float64 [p] each."""
    paths, overlap, best = (np.zeros(len(left)) for _ in range(3))
    if (runs := runs_of(left)) is not None:
        for run in runs:
            starts, ours, theirs = shared_values(matrix, left[run.start], matrix, right[run])
            paths[run] = reduced(np.add, ours * theirs, starts)
            overlap[run] = reduced(np.add, np.minimum(ours, theirs), starts)
            best[run] = reduced(np.maximum, ours * theirs, starts)
        return paths, overlap, best
    for start in range(0, len(left), _BLOCK):
        piece = slice(start, start + _BLOCK)
        one, other = matrix[left[piece]], matrix[right[piece]]
        products = one.multiply(other).tocsr()
        paths[piece] = products.sum(axis=1, dtype=np.float64)
        overlap[piece] = one.minimum(other).sum(axis=1, dtype=np.float64)
        best[piece] = products.max(axis=1).toarray().ravel()
    return paths, overlap, best
