"""Graph features of some pairs, of the rows of their ends alone in the matrix of all."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.pairs.graph_features import ProbabilityRows, graph_features, kept_probabilities
from pricematch.pairs.model import ScoredPairs
from pricematch.search.candidates import ranges

Entries: TypeAlias = tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.float32]]
"""Of entries of a matrix the line among some rows, the column, and the value."""


def pair_graph_features(
    pairs: Sequence[ScoredPairs],
    alive: NDArray[np.bool_],
    left: NDArray[np.integer],
    right: NDArray[np.integer],
    first: NDArray[np.float64],
    own: ScoredPairs | None = None,
    lacking: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Graph features of pairs, from the rows of their ends only.

    Args:
        pairs: among which each pair is, but for those of `own` and those lacking. Row i is the same posting in all.
        alive: bool [span]; postings that are gone are nobody's neighbours.
        left: [m], rows of one end of each pair.
        right: [m], of the other end.
        first: float64 [m].
        own: these very pairs, where they are none of `pairs`.
        lacking: see `graph_features`.
    """
    wanted = np.unique(np.concatenate([left, right]))
    places, more = (np.searchsorted(wanted, left), np.searchsorted(wanted, right)), list[Entries]()
    if own is not None:
        values = kept_probabilities(first)
        more = [(places[0], own.right, values), (places[1], own.left, values)]
    return graph_features(probability_rows(pairs, alive, wanted, more), *places, first, lacking)


def probability_rows(
    pairs: Sequence[ScoredPairs],
    alive: NDArray[np.bool_],
    wanted: NDArray[np.integer],
    more: Sequence[Entries],
) -> ProbabilityRows:
    """The rows of some ascending postings in the matrix of pairs, with more entries."""
    parts = [*(_entries(it.matrix, wanted) for it in pairs), *more]
    lines, columns, values = (np.concatenate(some) for some in zip(*parts, strict=True))
    kept = alive[columns] & (values > 0)
    lines, columns, values = lines[kept], columns[kept], values[kept]
    order = np.argsort(lines * len(alive) + columns, kind="stable")  # which merges ascending runs in linear time
    starts = np.searchsorted(lines[order], np.arange(len(wanted) + 1))
    shape = len(wanted), len(alive)
    matrix = csr_array((values[order], columns[order].astype(np.int32), starts.astype(np.int32)), shape=shape)
    return ProbabilityRows.of(matrix)


def _entries(matrix: csr_array, rows: NDArray[np.integer]) -> Entries:
    """Of the entries of some ascending rows, those that the matrix has: which row it is of, its column, its value."""
    there = rows[: np.searchsorted(rows, matrix.shape[0])]
    begins = matrix.indptr[there]
    places, lines = ranges(begins, matrix.indptr[there + 1] - begins)
    return lines, matrix.indices[places], matrix.data[places]
