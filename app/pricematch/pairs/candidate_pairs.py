"""Candidate pairs: of what retrievers have found, the pairs that are worth scoring."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.pairs.neighbours import Neighbours
from pricematch.search.candidates import NOBODY, Candidates

TOP_K = 50
"""Neighbours by each retriever that are candidates."""
Ends: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int32]]
"""Left and right ends of pairs, [m] each."""
_Wide: TypeAlias = tuple[NDArray[np.int64], NDArray[np.int64]]


def top_pairs(nearest: Mapping[str, Candidates]) -> _Wide:
    """Whose, and who, the `TOP_K` nearest neighbours by each retriever are."""
    tables = [found.rows[:, :TOP_K] for found in nearest.values()]
    left = [np.nonzero(rows != NOBODY)[0] for rows in tables]
    right = [rows[rows != NOBODY].astype(np.int64) for rows in tables]
    return np.concatenate(left), np.concatenate(right)


def concatenated(one: _Wide, other: _Wide) -> _Wide:
    """Both, some pairs perhaps twice."""
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])


def distinct(left: NDArray[np.int64], right: NDArray[np.int64], count: int) -> Ends:
    """Each pair once, in ascending order; right ends are below `count`."""
    ends = np.divmod(np.unique(left * count + right), max(1, count))
    return ends[0].astype(np.int32), ends[1].astype(np.int32)


def are_near(neighbours: Neighbours, similarities: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of m others are among the `TOP_K` nearest of each of k postings by any of r retrievers, bool [k, m].

    Args:
        neighbours: of the k.
        similarities: [r, k, m].
    """
    last = neighbours.similarities[:, :, TOP_K - 1, np.newaxis]
    return np.asarray((np.isfinite(similarities) & (similarities >= last)).any(axis=0), np.bool_)


def ends_of(pairs: NDArray[np.bool_]) -> Ends:
    """The pairs that are true in a table of left and right ends, ascending."""
    left, right = np.nonzero(pairs)
    return left.astype(np.int32), right.astype(np.int32)
