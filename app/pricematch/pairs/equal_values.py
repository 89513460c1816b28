"""Postings of one hash, or of one title: of equally near ones only some would be candidates, by their order."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.pairs.retriever import Alive
from pricematch.search.candidates import ranges

_MOST_EQUAL = 512
"""Postings of one value that are all candidates of each other; of more, those that retrievers find."""
Shown: TypeAlias = tuple[NDArray[np.intp], NDArray[np.uint64]]
"""Rows of postings and values of hashes, [p] each: what each posting shows, each hash of it once."""


@dataclass(frozen=True, eq=False)
class EqualValues:
    """The values that are known of n postings, ascending.

    Attributes:
        rows: intp [k], which posting each value is of; one posting may have several.
        values: [k].
    """

    rows: NDArray[np.intp]
    values: NDArray[Any]

    @classmethod
    def of(cls, rows: NDArray[np.intp], values: NDArray[Any]) -> "EqualValues":
        """The values [k] of some rows [k]."""
        order = np.argsort(values, kind="stable")
        return cls(rows[order], values[order])

    def equal(
        self, values: NDArray[Any], known: NDArray[np.bool_], alive: Alive, found: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Which of some values, and which postings of those alive, are equal, where more are than would be found.

        Args:
            values: [m].
            known: bool [m].
            alive: bool [n]; None: all.
            found: how many of one value are found anyway.

        Returns:
            Positions among the values and rows of the postings, intp [p] each.
        """
        first, last = (np.searchsorted(self.values, values, side) for side in ("left", "right"))
        counts = np.where(known, last - first, 0)
        counts[(counts <= found) | ((counts > _MOST_EQUAL) & (alive is None))] = 0
        places, line = ranges(first, counts)
        rows = self.rows[places]
        if alive is None:
            return line, rows
        line, rows = line[alive[rows]], rows[alive[rows]]
        counts = np.bincount(line, minlength=len(values))
        kept = ((counts > found) & (counts <= _MOST_EQUAL))[line]
        return line[kept], rows[kept]


@dataclass(frozen=True, eq=False)
class EqualPostings:
    """The hashes and the titles of n postings, each None where it is no signal."""

    hashes: EqualValues | None
    titles: EqualValues | None

    @classmethod
    def of(cls, shown: Shown | None, titles: NDArray[np.int64] | None) -> "EqualPostings":
        """Those that the postings of a catalogue show, and their `TitleProfiles.keys`, int64 [n]."""
        known = None if titles is None else np.flatnonzero(titles >= 0)
        return cls(
            None if shown is None else EqualValues.of(*shown),
            None if titles is None or known is None else EqualValues.of(known, titles[known]),
        )

    def equal(
        self, shown: Shown | None, titles: NDArray[np.int64] | None, alive: Alive, found: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of some postings and rows of those with an equal hash or title, see `EqualValues.equal`.

        Args:
            shown: the hashes of m postings; None where they are no signal.
            titles: int64 [m], their `TitleProfiles.keys`; None where titles are no signal.
            alive: as there.
            found: as there.
        """
        pairs = [(np.empty(0, np.int64), np.empty(0, np.int64))]
        if shown is not None and self.hashes is not None:
            rows, values = shown
            line, equal = self.hashes.equal(values, np.ones(len(values), np.bool_), alive, found)
            pairs.append((rows[line], equal))
        if titles is not None and self.titles is not None:
            pairs.append(self.titles.equal(titles, titles >= 0, alive, found))
        left, right = zip(*pairs, strict=True)
        return np.concatenate(left), np.concatenate(right)


def occurrences(values: NDArray[np.generic], ascending: NDArray[np.generic]) -> NDArray[np.intp]:
    """How often each of some values [n] occurs among others, which are sorted; intp [n]."""
    found: NDArray[np.intp] = np.searchsorted(ascending, values, "right") - np.searchsorted(ascending, values, "left")
    return found
