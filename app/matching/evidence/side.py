"""Postings prepared to be one side of many pairs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.matching.candidates import Candidates
from app.matching.hashes import Hashes
from app.matching.title_facts import TitleFacts


@dataclass(frozen=True, eq=False)
class Standing:
    """Where the nearest of each posting are, by one similarity.

    Attributes:
        nearest: float64 [n, k], the similarities of the k nearest, descending, −inf behind the last.
        crowd: float64 [n], mean of the first `CROWD` of them that there are; NaN where there is none.
    """

    nearest: NDArray[np.float64]
    crowd: NDArray[np.float64]

    def of(self, postings: NDArray[np.integer]) -> "Standing":
        """That of some postings, in the order given."""
        return Standing(self.nearest[postings], self.crowd[postings])


CROWD = 10
"""Neighbours whose mean similarity says how crowded a posting's surroundings are."""


def standing(found: Candidates) -> Standing:
    """The standing of postings from their nearest."""
    return _standing(found.similarities)


def joined(nearest: NDArray[np.float64], similarities: NDArray[np.float64]) -> Standing:
    """The standing of postings as it would be with one more neighbour each, or several.

    Args:
        nearest: [m, k], see `Standing`.
        similarities: [m] or [m, l], of the neighbours; −inf for none.
    """
    return _standing(-np.sort(-np.column_stack([nearest, similarities]), axis=1)[:, : nearest.shape[1]])


def _standing(nearest: NDArray[np.float64]) -> Standing:
    first = nearest[:, :CROWD]
    known = np.isfinite(first)
    count = known.sum(axis=1)
    total = np.where(known, first, 0).sum(axis=1)
    return Standing(nearest, np.where(count > 0, total / np.maximum(count, 1), np.nan))


@dataclass(frozen=True, eq=False)
class Titled:
    """What pairs of titles are compared by.

    Attributes:
        weights: float32 [n, words], the weight of each word of a title.
        totals: float64 [n], the sum of a title's weights, words without a column included.
        words, characters: intp [n].
        keys: int64 [n], the same for the same words in the same order; −1 for no word.
        repeats: intp [n], titles of the catalogue with that key, the posting's own included.
        first: int64 [n], the same for the same first word; −1 for no word.
        facts: n.
    """

    weights: csr_array
    totals: NDArray[np.float64]
    words: NDArray[np.intp]
    characters: NDArray[np.intp]
    keys: NDArray[np.int64]
    repeats: NDArray[np.intp]
    first: NDArray[np.int64]
    facts: TitleFacts


@dataclass(frozen=True, eq=False)
class Side:
    """n postings as one side of pairs.

    Attributes:
        catalogue_size: postings they are seen among, themselves included.
        described: by space, the postings as it holds them.
        standings: by space, against the catalogue.
        titled: None where titles are no signal.
        hashes: None where hashes are no signal.
        hash_repeats: intp [n], hashes of the catalogue that are equal, the posting's own included.
        images: uint64 [n], keys of the pictures' bytes, 0 where unknown.
    """

    catalogue_size: int
    described: dict[str, Any]
    standings: dict[str, Standing]
    titled: Titled | None
    hashes: Hashes | None
    hash_repeats: NDArray[np.intp]
    images: NDArray[np.uint64]


def occurrences(values: NDArray[np.generic], ascending: NDArray[np.generic]) -> NDArray[np.intp]:
    """How often each of some values [n] occurs among others, which are sorted; intp [n]."""
    found: NDArray[np.intp] = np.searchsorted(ascending, values, "right") - np.searchsorted(ascending, values, "left")
    return found


def low_high(one: NDArray[np.generic], other: NDArray[np.generic]) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Figures [m] of both ends of pairs, so that it does not matter which end is which: the lower, the higher."""
    return np.minimum(one, other), np.maximum(one, other)
