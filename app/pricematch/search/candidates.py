"""The postings that a signal proposes for each posting."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOBODY = -1


@dataclass(frozen=True, eq=False)
class Candidates:
    """Per row of a catalogue its best other rows by one signal.

    Attributes:
        rows: int32 [n, k], −1 behind the last candidate of a row; a row is never its own candidate.
        similarities: float64 [n, k], higher is closer, descending in each line, equal ones by ascending row; −inf
            behind the last candidate.
    """

    rows: NDArray[np.int32]
    similarities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)


def ranked(
    line: NDArray[np.integer],
    row: NDArray[np.integer],
    similarity: NDArray[np.floating],
    lines: int,
    count: int,
) -> Candidates:
    """Rank pairs: the `count` best rows of each line.

    Args:
        line: [m], whose candidate it is; the pairs are in any order.
        row: [m], which row is the candidate.
        similarity: [m].
        lines: how many lines the answer has.
        count: candidates a line, at most.
    """
    order = np.lexsort((row, -similarity, line))
    line, row, similarity = line[order], row[order], similarity[order]
    starts = np.searchsorted(line, np.arange(lines + 1))
    place = np.arange(len(line)) - starts[line]
    kept = place < count
    rows = np.full((lines, count), NOBODY, np.int32)
    similarities = np.full((lines, count), -np.inf)
    rows[line[kept], place[kept]] = row[kept]
    similarities[line[kept], place[kept]] = similarity[kept]
    return Candidates(rows, similarities)


def stacked(parts: Sequence[Candidates], count: int) -> Candidates:
    """The lines of consecutive blocks as one; [0, count] for no blocks."""
    if not parts:
        return Candidates(np.empty((0, count), np.int32), np.empty((0, count)))
    return Candidates(
        np.concatenate([part.rows for part in parts]), np.concatenate([part.similarities for part in parts])
    )


def places(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Lines and rows where a mask [n, m] is true: what np.nonzero gives, in a fraction of its time."""
    return np.divmod(np.flatnonzero(mask), mask.shape[1])
