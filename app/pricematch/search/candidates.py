"""Candidates: per query the most similar rows of a catalogue, whatever the retriever."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOBODY = -1
"""Stands behind the last candidate of a query."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Per query its most similar rows of a catalogue, the best first.

    Where the queries are the catalogue's own rows, none is its own candidate.

    Attributes:
        rows: int32 [m, k], `NOBODY` behind the last candidate of a query.
        similarities: float64 [m, k], higher is closer, descending for each query, equal ones by ascending row; −inf
            behind the last candidate.
    """

    rows: NDArray[np.int32]
    similarities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)


def top_k(
    query: NDArray[np.integer],
    row: NDArray[np.integer],
    similarity: NDArray[np.floating],
    queries: int,
    count: int,
) -> Candidates:
    """The `count` most similar rows of each query, of pairs in any order, each pair once.

    Args:
        query: [p], whose candidate it is, 0…`queries` − 1.
        row: [p], which row is the candidate.
        similarity: [p].
        queries: how many there are, those without a candidate included.
        count: candidates a query, at most.
    """
    order = np.lexsort((row, -similarity, query))
    query, row, similarity = query[order], row[order], similarity[order]
    starts = np.searchsorted(query, np.arange(queries + 1))
    place = np.arange(len(query)) - starts[query]
    kept = place < count
    rows = np.full((queries, count), NOBODY, np.int32)
    similarities = np.full((queries, count), -np.inf)
    rows[query[kept], place[kept]] = row[kept]
    similarities[query[kept], place[kept]] = similarity[kept]
    return Candidates(rows, similarities)


def stacked(parts: Sequence[Candidates], count: int) -> Candidates:
    """The candidates of consecutive blocks of queries as one; [0, count] for no blocks."""
    if not parts:
        return Candidates(np.empty((0, count), np.int32), np.empty((0, count)))
    return Candidates(
        np.concatenate([part.rows for part in parts]), np.concatenate([part.similarities for part in parts])
    )


def scattered(found: Candidates, queries: NDArray[np.intp], total: int) -> Candidates:
    """The candidates of some queries, by number [m], among `total` ones, of which the others have none."""
    rows = np.full((total, found.rows.shape[1]), NOBODY, np.int32)
    similarities = np.full(rows.shape, -np.inf)
    rows[queries], similarities[queries] = found.rows, found.similarities
    return Candidates(rows, similarities)


def places(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns where a mask [n, m] is true: what np.nonzero gives, in a fraction of its time."""
    return np.divmod(np.flatnonzero(mask), mask.shape[1])
