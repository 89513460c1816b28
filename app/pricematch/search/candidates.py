"""Results of searches: ranked candidates, and lists of matches."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOBODY = -1
"""Stands behind the last candidate of a query."""
MAX_MEMBERS = 50
"""Of a list, the posting itself included; the competition's limit."""
NOISE = -1
_BLOCK = 8
"""Values for each one wanted, from which on it pays to look at maxima of blocks first."""


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


def largest(values: NDArray[np.floating], place: int) -> float:
    """The value at a place, 1…n, in descending order.

    Of twice as many blocks of values, `place` have a maximum that is no lower than the one at that place among the
    maxima: so many values are no lower, and only these are sorted.
    """
    if len(values) > _BLOCK * place:
        maxima = np.maximum.reduceat(values, np.arange(0, len(values), len(values) // (2 * place)))
        values = values[values >= np.partition(maxima, len(maxima) - place)[len(maxima) - place]]
    return float(np.partition(values, len(values) - place)[len(values) - place])


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


def ranges(begins: NDArray[np.integer], sizes: NDArray[np.integer]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The positions in ranges [m] one after the other, and which range each is of.

    >>> ranges(np.array([7, 0, 4]), np.array([2, 0, 3]))
    (array([7, 8, 4, 5, 6]), array([0, 0, 2, 2, 2]))
    """
    lines = np.repeat(np.arange(len(sizes)), sizes)
    return np.arange(len(lines)) + (begins - np.cumsum(sizes) + sizes)[lines], lines


@dataclass(frozen=True, eq=False)
class Lists:
    """One list a row, in compressed sparse rows.

    Attributes:
        starts: intp [n + 1]; the list of row i stands at positions starts[i] to starts[i + 1].
        rows: int32 [m]; each list begins with its own row, holds no row twice and at most 50.
    """

    starts: NDArray[np.intp]
    rows: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, row: int) -> NDArray[np.int32]:
        return self.rows[self.starts[row] : self.starts[row + 1]]

    def sizes(self) -> NDArray[np.intp]:
        """How many rows each list holds, intp [n]."""
        return np.diff(self.starts)


def among(lists: Lists, rows: NDArray[np.intp], count: int) -> Lists:
    """Lists of some rows [n] of a catalogue as lists of all `count` of its rows; each of the others is alone."""
    begins, sizes = len(lists.rows) + np.arange(count), np.ones(count, np.intp)
    begins[rows], sizes[rows] = lists.starts[:-1], lists.sizes()
    return prefixes(begins, sizes, np.concatenate([rows[lists.rows], np.arange(count)]).astype(np.int32))


def prefixes(begins: NDArray[np.intp], sizes: NDArray[np.intp], rows: NDArray[np.int32]) -> Lists:
    """Lists that stand in `rows`, each from its begin [n] on, as many as its size [n] says."""
    starts = np.concatenate([[0], np.cumsum(sizes)])
    places = np.arange(starts[-1]) + np.repeat(begins - starts[:-1], sizes)
    return Lists(starts, rows[places])


def lists_of_labels(labels: NDArray[np.intp]) -> Lists:
    """The list of a row in a cluster: itself, then the lowest other rows of it; of noise: itself alone.

    Args:
        labels: [n], clusters from 0, −1 is noise.
    """
    order = np.argsort(labels, kind="stable").astype(np.int32)
    place = np.empty(len(labels), np.intp)
    place[order] = np.arange(len(labels))
    begins = np.searchsorted(labels[order], labels)
    sizes = np.where(labels == NOISE, 1, np.minimum(np.bincount(labels + 1)[labels + 1], MAX_MEMBERS))
    begins[labels == NOISE] = place[labels == NOISE]
    lists = prefixes(begins, sizes, order)
    return _itself_first(lists, place - begins)


def longest(*choices: Lists) -> Lists:
    """Per row the longest of its lists, the earliest given on a tie."""
    sizes = np.array([choice.sizes() for choice in choices])
    chosen = sizes.argmax(axis=0)
    every_row = np.concatenate([choice.rows for choice in choices])
    before = np.cumsum([0, *(len(choice.rows) for choice in choices[:-1])])
    begins = np.array([choice.starts[:-1] for choice in choices]) + before[:, np.newaxis]
    line = np.arange(sizes.shape[1])
    return prefixes(begins[chosen, line], sizes[chosen, line], every_row)


def _itself_first(lists: Lists, own: NDArray[np.intp]) -> Lists:
    """Move each row's own entry, at place `own` [n] of its list, to the front; if it was cut off, the last one goes."""
    rows, sizes = lists.rows.copy(), lists.sizes()
    itself = np.arange(len(lists), dtype=np.int32)
    line = np.repeat(itself, sizes)
    place = np.arange(len(rows)) - np.repeat(lists.starts[:-1], sizes)
    shifted = (place > 0) & (place <= own[line])
    rows[shifted] = lists.rows[np.flatnonzero(shifted) - 1]
    rows[lists.starts[:-1]] = itself
    return Lists(lists.starts, rows)
