"""First probabilities of the pairs of a catalogue that grows: the rows that are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from pricematch.pairs.graph_features import ProbabilityRows, probability_rows


@dataclass(frozen=True, eq=False)
class FirstPairs:
    """Pairs and their first probabilities.

    Attributes:
        lines, rows: int32 [p], either end; each pair once.
        probabilities: float64 [p].
    """

    lines: NDArray[np.int32]
    rows: NDArray[np.int32]
    probabilities: NDArray[np.float64]

    def matrix(self, span: int) -> csr_array:
        """Both directions of each pair, float64 [span, span]."""
        ends = np.concatenate([self.lines, self.rows]), np.concatenate([self.rows, self.lines])
        values = np.concatenate([self.probabilities, self.probabilities])
        return csr_array(coo_array((values, ends), shape=(span, span)))


def some_rows(graph: Sequence[csr_array], alive: NDArray[np.bool_], wanted: NDArray[np.integer]) -> ProbabilityRows:
    """The rows of some postings against all that are alive.

    Args:
        graph: matrices [n, n] that hold both directions of each pair; a pair is in one of them, and row i of each is
            the same posting, though some have fewer rows.
        alive: bool [span]; the rest has no say.
        wanted: [w], which rows, ascending.

    Returns:
        float32 [w, span]; line i is the row `wanted[i]`.
    """
    parts = [matrix[wanted[wanted < matrix.shape[0]]] for matrix in graph]
    lines = np.concatenate([_lines(part) for part in parts])
    rows = np.concatenate([part.indices for part in parts])
    values = np.concatenate([part.data for part in parts]).astype(np.float64)
    there = alive[rows]
    return probability_rows(lines[there], rows[there], values[there], (len(wanted), len(alive)))


def _lines(matrix: csr_array) -> NDArray[np.intp]:
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
