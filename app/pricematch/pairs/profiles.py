"""Profiles: postings prepared once for comparison in many pairs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from pricematch.catalogue.evidence import EvidenceValues
from pricematch.pairs.equal_values import occurrences
from pricematch.pairs.image_profiles import ImageProfiles
from pricematch.pairs.neighbours import Neighbours
from pricematch.titles.comparison import TitleAttributes


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
        images: n.
        evidence: n, values of the fields that pairs are compared by; None where there is none.
        compared: by some retrievers, float64 [n, m], the similarity of new postings to all of the catalogue's.
    """

    catalogue_size: int
    vectors: Mapping[str, Any]
    neighbours: Neighbours
    titles: TitleProfiles | None
    images: ImageProfiles
    evidence: EvidenceValues | None = None
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
        counting = self._counting(others, None, 1, own=own)
        return replace(counting, neighbours=self.neighbours.including(similarities))

    def without(self, others: "Profiles", gone: NDArray[np.bool_]) -> "Profiles":
        """The profiles where some of the others, bool [m], no longer count as having the same title or hash."""
        return self._counting(others, np.flatnonzero(gone), -1, own=False) if gone.any() else self

    def _counting(self, others: "Profiles", rows: NDArray[np.intp] | None, sign: int, *, own: bool) -> "Profiles":
        titles = self.titles
        if titles is not None and others.titles is not None:
            keys = others.titles.keys if rows is None else others.titles.keys[rows]
            titles = replace(titles, repeats=titles.repeats + sign * (occurrences(titles.keys, np.sort(keys)) - own))
        return replace(self, titles=titles, images=self.images.counting(others.images, rows, sign, own=own))
