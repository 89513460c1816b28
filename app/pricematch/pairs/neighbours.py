"""Nearest neighbours of postings by each retriever, and how pairs rank among them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

_DENSITY_NEIGHBOURS = 10
"""Neighbours whose mean similarity is the density around a posting."""
_CROWD_NEIGHBOURS = 20
"""Neighbours whose mean similarity scales those of a posting, see `scaled_similarities`."""
_SPARSEST = 0.02
"""Mean similarity of a posting's crowd, at least: next to nothing, everything would be many times nearer."""
RANK_FEATURES = ("similarity", "rank_low", "rank_high", "lead_low", "lead_high", "above_low", "above_high")
"""Names of the features of one retriever: the similarity; how many of the 100 nearest neighbours of each end are
nearer; by how much it exceeds that of the nearest other neighbour of each end, and the density around each end."""
_TIE = 2e-6
"""Cosines of titles are rounded to 1e-6, each by its own sum: equal ones may differ by that and a float32's error."""
_Ends: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""See `Neighbours.around`."""
Mapped: TypeAlias = Callable[[NDArray[np.float64], NDArray[np.integer]], NDArray[np.float64]]
"""Gives of similarities [m, k] of the neighbours of some rows [m] other ones, as high in the same order."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Similarities of the nearest neighbours of n postings by each of r retrievers.

    Attributes:
        similarities: float64 [r, n, k], descending, −inf behind the last neighbour.
        density: float64 [r, n], mean of the first `_DENSITY_NEIGHBOURS` of them; NaN where there is none.
    """

    similarities: NDArray[np.float64]
    density: NDArray[np.float64]

    @classmethod
    def of(cls, similarities: NDArray[np.float64]) -> "Neighbours":
        """The neighbours of these similarities, see the attribute."""
        first = similarities[:, :, :_DENSITY_NEIGHBOURS]
        known = np.isfinite(first)
        count = known.sum(axis=2)
        total = np.where(known, first, 0).sum(axis=2)
        return cls(similarities, np.where(count > 0, total / np.maximum(count, 1), np.nan))

    def around(self, which: NDArray[np.intp], rows: NDArray[np.integer]) -> _Ends:
        """Of some rows [m] the highest and the second highest similarity, and the density; float64 [q, m] each.

        Args:
            which: [q, 1], of the retrievers.
            rows: [m].
        """
        return self.similarities[which, rows, 0], self.similarities[which, rows, 1], self.density[which, rows]

    def crowd(
        self,
        retriever: int,
        rows: NDArray[np.integer],
        more: NDArray[np.floating] | None = None,
        mapped: Mapped | None = None,
    ) -> NDArray[np.float64]:
        """Mean similarity of the 20 nearest neighbours of some rows by one retriever, float64 [m], at least 0.02.

        Neighbours that are lacking, or less similar than 0, count 0.

        Args:
            retriever: its number.
            rows: [m].
            more: [m], the similarity of one neighbour more, as it is mapped; None: there is none.
            mapped: makes of the similarities of some rows' neighbours those that count; None: they are.
        """
        if mapped is None:
            nearest = self.similarities[retriever, rows, :_CROWD_NEIGHBOURS]
        else:
            every, place = np.unique(rows, return_inverse=True)
            nearest = mapped(self.similarities[retriever, every, :_CROWD_NEIGHBOURS], every)[place]
        nearest = np.maximum(nearest, 0)
        total = nearest.sum(axis=1)
        if more is not None:
            total += np.maximum(more - nearest[:, -1], 0)
        return np.asarray(np.maximum(total / _CROWD_NEIGHBOURS, _SPARSEST), np.float64)

    def higher(
        self, which: NDArray[np.intp], rows: NDArray[np.integer], values: NDArray[np.floating]
    ) -> NDArray[np.intp]:
        """How many neighbours of some rows have a higher similarity than values [q, m], by bisection; see `around`."""
        _, count, width = self.similarities.shape
        before = (which * count + rows) * width - 1
        flat, found = self.similarities.ravel(), np.zeros(before.shape, np.intp)
        step = 1 << max(0, width.bit_length() - 1)
        while step:
            further = found + step
            beyond = (further <= width) & (flat.take(before + further, mode="clip") > values)
            found += step * beyond
            step //= 2
        return found

    def joined(self, more: "Neighbours") -> "Neighbours":
        """The neighbours of these postings, and of more postings behind them."""
        return Neighbours(
            np.concatenate([self.similarities, more.similarities], axis=1),
            np.concatenate([self.density, more.density], axis=1),
        )

    def including(self, similarities: NDArray[np.float64]) -> "Neighbours":
        """The k nearest neighbours once each posting has more of them.

        Args:
            similarities: [r, n, m], of the further neighbours; −inf for none.
        """
        every = np.concatenate([self.similarities, similarities], axis=2)
        return self.of(-np.sort(-every, axis=2)[:, :, : self.similarities.shape[2]])


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


def rank_features(
    similarity: NDArray[np.float32],
    left: Neighbours,
    right: Neighbours,
    left_rows: NDArray[np.integer],
    right_rows: NDArray[np.integer],
    least: NDArray[np.float64] | None = None,
) -> NDArray[np.float32]:
    """Features of m pairs by r retrievers, float32 [m, r · `RANK_FEATURES`], those of the first retriever first.

    Args:
        similarity: [r, m]; where it is NaN all features of that retriever are.
        left: neighbours of the left ends.
        right: of the right ends.
        left_rows: [m], which of the left.
        right_rows: [m], which of the right.
        least: [r], the similarity from which on a left end counts as a neighbour of its right end, which does not
            include it yet; None: it does.
    """
    found = np.full((similarity.shape[1], len(similarity), len(RANK_FEATURES)), np.nan, np.float32)
    told = np.flatnonzero(~np.isnan(similarity).all(axis=1))  # a query without an image tells nothing of images
    which, similarity = told[:, np.newaxis], similarity[told]
    ends = [left.around(which, left_rows), right.around(which, right_rows)]
    if least is not None:
        more = np.where(similarity >= least[which], similarity, -np.inf)
        ends[1] = _including(ends[1], right.similarities[which, right_rows, :_DENSITY_NEIGHBOURS], more)
    ranks = [it.higher(which, rows, similarity + _TIE) for it, rows in ((left, left_rows), (right, right_rows))]
    leads = [similarity - np.maximum(np.where(similarity >= best - _TIE, second, best), -1) for best, second, _ in ends]
    above = [similarity - density for _, _, density in ends]
    features = np.stack([similarity, *low_high(*ranks), *low_high(*leads), *low_high(*above)], dtype=np.float32)
    features[:, np.isnan(similarity)] = np.nan
    found[:, told] = features.T
    return found.reshape(len(found), -1)


def scaled_similarities(
    similarity: NDArray[np.float32],
    retriever: int,
    left: Neighbours,
    right: Neighbours,
    left_rows: NDArray[np.integer],
    right_rows: NDArray[np.integer],
    *,
    including: bool,
    mapped: tuple[Mapped | None, Mapped | None] = (None, None),
) -> NDArray[np.float32]:
    """Similarities of m pairs by one retriever, as multiples of what is usual around both ends, float32 [m].

    Local scaling: s / √(c · d), c and d being the mean similarities of the 20 nearest neighbours of the two ends
    (Zelnik-Manor and Perona, Self-Tuning Spectral Clustering, 2004, scale distances so). An embedding's cosines mean
    something else in every shop; how far a pair stands out from what surrounds it means nearly the same.

    Args:
        similarity: [m], NaN where it is not known; so is the result.
        retriever: its number among the neighbours.
        left: neighbours of the left ends.
        right: of the right ends.
        left_rows: [m], which of the left.
        right_rows: [m], which of the right.
        including: whether the right ends' neighbours do not include the left ones yet, and are taken as if they did.
        mapped: see `Neighbours.crowd`, of the left and of the right ends.
    """
    one = left.crowd(retriever, left_rows, mapped=mapped[0])
    other = right.crowd(retriever, right_rows, np.nan_to_num(similarity) if including else None, mapped[1])
    return np.asarray(similarity / np.sqrt(one * other), np.float32)


def _including(ends: _Ends, first: NDArray[np.float64], more: NDArray[np.floating]) -> _Ends:
    """What `Neighbours.around` gives once each row has one neighbour more.

    How many are higher than the further neighbour does not change: of those that it displaces none is.

    Args:
        ends: of q retrievers and m rows.
        first: [q, m, `_DENSITY_NEIGHBOURS`], similarities of the first neighbours that there are.
        more: [q, m], of the one more, or −inf.
    """
    best, second, density = ends
    known = np.isfinite(first)
    last, full, count = first[:, :, -1], known[:, :, -1], known.sum(axis=2)
    near = more > last
    total = np.where(known, first, 0).sum(axis=2) + np.where(near, more - np.where(full, last, 0), 0)
    density = np.where(near, total / np.maximum(count + ~full, 1), density)
    return np.maximum(best, more), np.maximum(np.minimum(best, more), second), density


def low_high(one: NDArray[np.generic], other: NDArray[np.generic]) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Figures [m] of both ends of pairs as the lower and the higher one, whichever end is named first."""
    return np.minimum(one, other), np.maximum(one, other)
