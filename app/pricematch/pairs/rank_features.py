"""Where a similarity stands among the others of both postings of a pair."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.search.candidates import Candidates


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

    def joined(self, more: "Standing") -> "Standing":
        """That of these postings and of some more behind them."""
        return Standing(np.concatenate([self.nearest, more.nearest]), np.concatenate([self.crowd, more.crowd]))


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


STANDING = ("similarity", "rank_low", "rank_high", "lead_low", "lead_high", "above_low", "above_high")
"""Names of the features of one similarity: itself; how many of the 100 nearest of each side are nearer; how much nearer
it is than the nearest other of each side, and than the mean of its ten nearest."""


def standing_evidence(similarity: NDArray[np.float32], left: Standing, right: Standing) -> NDArray[np.float32]:
    """float32 [m, `STANDING`] from where both ends of m pairs stand; NaN where there is no similarity."""
    ranks, leads, above = [], [], []
    for side in (left, right):
        nearest = side.nearest
        ranks.append((nearest > similarity[:, np.newaxis] + _TIE).sum(axis=1))
        others = np.where(similarity >= nearest[:, 0] - _TIE, nearest[:, 1], nearest[:, 0])
        leads.append(similarity - np.maximum(others, -1))
        above.append(similarity - side.crowd)
    columns = [similarity, *low_high(*ranks), *low_high(*leads), *low_high(*above)]
    found = np.column_stack(columns).astype(np.float32)
    found[np.isnan(similarity)] = np.nan
    return found


_TIE = 2e-6
"""Cosines of titles are rounded to 1e-6, each by its own sum: equal ones may differ by that and a float32's error."""


def low_high(one: NDArray[np.generic], other: NDArray[np.generic]) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Figures [m] of both ends of pairs, so that it does not matter which end is which: the lower, the higher."""
    return np.minimum(one, other), np.maximum(one, other)
