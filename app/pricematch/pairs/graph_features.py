"""What the neighbours of two postings say of the pair, given a first probability of every pair.

A pair whose neighbours agree gains, one that bridges two crowds loses. The features are those of two rows of the
symmetric matrix of probabilities P, with 1 on its diagonal: the paths of two steps between the postings, the cosine and
the weighted Jaccard index (Ružička) of the rows, and how the pair stands out in each row.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from pricematch.pairs.rank_features import low_high

LEAST = 0.02
"""Probabilities below this are not kept in the graph."""
_STEPS = 2**24
"""Probabilities are kept to this many steps, so that a row and a probability fit one float64 exactly."""
_BLOCK = 128 * 1024
_FLOOR = 1e-3

AGREEMENT = (
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
    """Probabilities of pairs, row by row: m postings against the n of a catalogue.

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

    def ranks(self, rows: NDArray[np.integer], probabilities: NDArray[np.float64]) -> NDArray[np.intp]:
        """How many entries of each row are higher than a probability, [m]."""
        found: NDArray[np.intp] = np.searchsorted(self.ranked, 2.0 * rows - probabilities, side="left")
        return found - np.searchsorted(self.ranked, 2.0 * rows - 1.5, side="left")


def probability_rows(
    lines: NDArray[np.integer],
    rows: NDArray[np.integer],
    probabilities: NDArray[np.float64],
    shape: tuple[int, int],
) -> ProbabilityRows:
    """The rows of given pairs, each pair given once.

    Args:
        lines: [p], below m.
        rows: [p], below n.
        probabilities: float64 [p].
        shape: m and n.
    """
    values = rounded(probabilities)
    kept = values >= LEAST
    line, row, values = lines[kept], rows[kept], values[kept]
    matrix = csr_array(coo_array((values.astype(np.float32), (line, row)), shape=shape))
    sums, squares = (np.bincount(line, weights, shape[0]).astype(np.float64) for weights in (values, values**2))
    best = np.zeros(shape[0])
    np.maximum.at(best, line, values)
    sure = np.bincount(line[values > 0.5], minlength=shape[0])
    return ProbabilityRows(matrix, sums, best, squares, sure, np.sort(2.0 * line - values))


def symmetric_rows(
    lines: NDArray[np.integer], rows: NDArray[np.integer], probabilities: NDArray[np.float64], count: int
) -> ProbabilityRows:
    """The rows of a catalogue of `count` postings from its unordered pairs, each given once."""
    return probability_rows(
        np.concatenate([lines, rows]),
        np.concatenate([rows, lines]),
        np.concatenate([probabilities, probabilities]),
        (count, count),
    )


def rounded(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities to 24 bits, as the graph keeps them."""
    return np.round(probabilities * _STEPS) / _STEPS


def agreement(
    left: ProbabilityRows,
    right: ProbabilityRows,
    lines: NDArray[np.integer],
    rows: NDArray[np.integer],
    probabilities: NDArray[np.float64],
) -> NDArray[np.float32]:
    """The features of pairs, float32 [p, `AGREEMENT`]; the same for (a, b) and (b, a) of one catalogue.

    Args:
        left: rows of the first postings: the catalogue's own, or those of new postings against it.
        right: rows of the catalogue's postings. Where `left` is another object, they do not know the new postings, and
            each pair is looked at as if its right row held it.
        lines: [p], which rows of the first.
        rows: [p], which of the second.
        probabilities: float64 [p], of the pairs; those that `left` was made of.
    """
    first = rounded(probabilities)
    kept = np.where(first >= LEAST, first, 0)
    new = np.zeros(len(kept)) if left is right else kept
    sums = left.sums[lines], right.sums[rows] + new
    best = left.best[lines], np.maximum(right.best[rows], new)
    squares = left.squares[lines], right.squares[rows] + new**2
    sure = left.sure[lines], right.sure[rows] + (new > 0.5)
    paths, overlap, best_path = _steps(left.matrix, right.matrix, lines, rows)
    shared = overlap + 2 * kept
    returned = [paths / np.maximum(total - kept, 10 * _FLOOR) for total in sums]
    ranks = left.ranks(lines, first), right.ranks(rows, first)
    columns = [
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
        *low_high(*ranks),
    ]
    return np.column_stack(columns).astype(np.float32)


def _steps(
    left: csr_array, right: csr_array, lines: NDArray[np.integer], rows: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Of the two rows of each pair: sum of products, sum of minima, largest product; float64 [p] each."""
    paths, overlap, best = (np.zeros(len(lines)) for _ in range(3))
    for start in range(0, len(lines), _BLOCK):
        piece = slice(start, start + _BLOCK)
        one, other = left[lines[piece]], right[rows[piece]]
        products = one.multiply(other).tocsr()
        paths[piece] = products.sum(axis=1, dtype=np.float64)
        overlap[piece] = one.minimum(other).sum(axis=1, dtype=np.float64)
        best[piece] = products.max(axis=1).toarray().ravel()
    return paths, overlap, best
