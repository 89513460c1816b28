"""How a pair's similarity ranks among the nearest neighbours of both ends."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

DENSITY_NEIGHBOURS = 10
"""Neighbours whose mean similarity is the density around a posting."""
RANK_FEATURES = ("similarity", "rank_low", "rank_high", "lead_low", "lead_high", "above_low", "above_high")
"""Names of the features of one retriever: the similarity; how many of the 100 nearest neighbours of each end are
nearer; by how much it exceeds that of the nearest other neighbour of each end, and the density around each end."""
_TIE = 2e-6
"""Cosines of titles are rounded to 1e-6, each by its own sum: equal ones may differ by that and a float32's error."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Similarities of the nearest neighbours of n postings by one retriever.

    Attributes:
        similarities: float64 [n, k], descending, −inf behind the last neighbour.
        density: float64 [n], mean of the first `DENSITY_NEIGHBOURS` of them; NaN where there is none.
    """

    similarities: NDArray[np.float64]
    density: NDArray[np.float64]

    @classmethod
    def of(cls, similarities: NDArray[np.float64]) -> "Neighbours":
        """The neighbours of these similarities, float64 [n, k], see the attribute."""
        first = similarities[:, :DENSITY_NEIGHBOURS]
        known = np.isfinite(first)
        count = known.sum(axis=1)
        total = np.where(known, first, 0).sum(axis=1)
        return cls(similarities, np.where(count > 0, total / np.maximum(count, 1), np.nan))

    def select(self, rows: NDArray[np.integer]) -> "Neighbours":
        """The neighbours of some postings, in the order given."""
        return Neighbours(self.similarities[rows], self.density[rows])

    def joined(self, more: "Neighbours") -> "Neighbours":
        """The neighbours of these postings, and of more postings behind them."""
        return Neighbours(
            np.concatenate([self.similarities, more.similarities]), np.concatenate([self.density, more.density])
        )

    def including(self, similarities: NDArray[np.float64]) -> "Neighbours":
        """The k nearest neighbours once each posting has more of them.

        Args:
            similarities: [n] or [n, m], of the further neighbours; −inf for none.
        """
        every = np.column_stack([self.similarities, similarities])
        return self.of(-np.sort(-every, axis=1)[:, : self.similarities.shape[1]])


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """What searching n postings of a catalogue among each other has found.

    Attributes:
        similarities: float64 [r, n, k], `Neighbours.similarities` by each of r retrievers, in the order of their
            features.
        shares: float32 [n, n], see `ExpandedTitleRetriever`; None where titles are no signal.
        candidates: int32 [m] twice, see `PairFeatureExtractor.candidates`.
    """

    similarities: NDArray[np.float64]
    shares: csr_array | None
    candidates: tuple[NDArray[np.int32], NDArray[np.int32]]


def rank_features(similarity: NDArray[np.float32], left: Neighbours, right: Neighbours) -> NDArray[np.float32]:
    """Features of m pairs by one retriever, float32 [m, `RANK_FEATURES`].

    Args:
        similarity: [m]; where it is NaN all features are.
        left: neighbours of one end of each pair, [m].
        right: of the other end.
    """
    ranks, leads, above = [], [], []
    for end in (left, right):
        nearest = end.similarities
        ranks.append((nearest > similarity[:, np.newaxis] + _TIE).sum(axis=1))
        others = np.where(similarity >= nearest[:, 0] - _TIE, nearest[:, 1], nearest[:, 0])
        leads.append(similarity - np.maximum(others, -1))
        above.append(similarity - end.density)
    columns = [similarity, *low_high(*ranks), *low_high(*leads), *low_high(*above)]
    found = np.column_stack(columns).astype(np.float32)
    found[np.isnan(similarity)] = np.nan
    return found


def low_high(one: NDArray[np.generic], other: NDArray[np.generic]) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Figures [m] of both ends of pairs as the lower and the higher one, whichever end is named first."""
    return np.minimum(one, other), np.maximum(one, other)
