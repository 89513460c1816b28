"""Profiles: postings prepared once for comparison in many pairs, and how pairs rank among their neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from pricematch.catalogue.features import Hashes
from pricematch.titles.comparison import TitleAttributes

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
        self, retriever: int, rows: NDArray[np.integer], more: NDArray[np.floating] | None = None
    ) -> NDArray[np.float64]:
        """Mean similarity of the 20 nearest neighbours of some rows by one retriever, float64 [m], at least 0.02.

        Neighbours that are lacking, or less similar than 0, count 0.

        Args:
            retriever: its number.
            rows: [m].
            more: [m], the similarity of one neighbour more; None: there is none.
        """
        nearest = np.maximum(self.similarities[retriever, rows, :_CROWD_NEIGHBOURS], 0)
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
    """
    one = left.crowd(retriever, left_rows)
    other = right.crowd(retriever, right_rows, np.nan_to_num(similarity) if including else None)
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


@dataclass(frozen=True, eq=False)
class TitleProfiles:
    """n titles prepared for comparison.

    Attributes:
        weights: float32 [n, words], the weight of each word of a title.
        totals: float64 [n], the sum of a title's weights.
        words, characters: intp [n].
        keys: int64 [n], equal for the same words in the same order; −1 for no word.
        repeats: intp [n], titles of the catalogue with that key, the posting's own included.
        first: int64 [n], equal for the same first word; −1 for no word.
        attributes: n.
    """

    weights: csr_array
    totals: NDArray[np.float64]
    words: NDArray[np.intp]
    characters: NDArray[np.intp]
    keys: NDArray[np.int64]
    repeats: NDArray[np.intp]
    first: NDArray[np.int64]
    attributes: TitleAttributes

    def joined(self, more: "TitleProfiles") -> "TitleProfiles":
        """These titles, and more behind them."""
        return TitleProfiles(
            csr_array(vstack([self.weights, more.weights])),
            np.concatenate([self.totals, more.totals]),
            np.concatenate([self.words, more.words]),
            np.concatenate([self.characters, more.characters]),
            np.concatenate([self.keys, more.keys]),
            np.concatenate([self.repeats, more.repeats]),
            np.concatenate([self.first, more.first]),
            self.attributes.joined(more.attributes),
        )


@dataclass(frozen=True, eq=False)
class Profiles:
    """n postings prepared for comparison: each may be either end of many pairs.

    Attributes:
        catalogue_size: postings of the catalogue that they are compared in, themselves included.
        vectors: by retriever, the representation that it compares.
        neighbours: their nearest neighbours in the catalogue, by the retrievers in the order of their features.
        titles: None where titles are no signal.
        hashes: None where hashes are no signal.
        hash_repeats: intp [n], equal hashes in the catalogue, the posting's own included.
        images: uint64 [n], image keys, 0 where there is none.
        compared: by some retrievers, float64 [n, m], the similarity of new postings to all of the catalogue's.
    """

    catalogue_size: int
    vectors: Mapping[str, Any]
    neighbours: Neighbours
    titles: TitleProfiles | None
    hashes: Hashes | None
    hash_repeats: NDArray[np.intp]
    images: NDArray[np.uint64]
    compared: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.images)

    def including(self, similarities: NDArray[np.float64], others: "Profiles", *, own: bool = False) -> "Profiles":
        """The profiles in a catalogue that holds other postings too; `catalogue_size` stays.

        Args:
            similarities: [r, n, m], to the others; −inf where they are no neighbours.
            others: m postings.
            own: whether the others are these very postings, each of which counts itself already.
        """
        counting = self._counting(others, slice(None), 1, own=own)
        return replace(counting, neighbours=self.neighbours.including(similarities))

    def without(self, others: "Profiles", gone: NDArray[np.bool_]) -> "Profiles":
        """The profiles where some of the others, bool [m], no longer count as having the same title or hash."""
        return self._counting(others, np.flatnonzero(gone), -1, own=False) if gone.any() else self

    def _counting(self, others: "Profiles", rows: "slice | NDArray[np.intp]", sign: int, *, own: bool) -> "Profiles":
        titles, repeats = self.titles, self.hash_repeats
        if titles is not None and others.titles is not None:
            more = occurrences(titles.keys, np.sort(others.titles.keys[rows])) - own
            titles = replace(titles, repeats=titles.repeats + sign * more)
        if self.hashes is not None and others.hashes is not None:
            # of a posting without a hash the count means nothing, and no feature is made of it
            values, known = others.hashes.values[rows], others.hashes.known[rows]
            repeats = repeats + sign * (occurrences(self.hashes.values, np.sort(values[known])) - own)
        return replace(self, titles=titles, hash_repeats=repeats)


def occurrences(values: NDArray[np.generic], ascending: NDArray[np.generic]) -> NDArray[np.intp]:
    """How often each of some values [n] occurs among others, which are sorted; intp [n]."""
    found: NDArray[np.intp] = np.searchsorted(ascending, values, "right") - np.searchsorted(ascending, values, "left")
    return found
