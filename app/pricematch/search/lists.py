"""Answers as lists: for every posting the postings it is said to be the same product as."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_MEMBERS = 50
"""Of a list, the posting itself included; the competition's limit."""
NOISE = -1


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
