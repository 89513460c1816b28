"""Titles as spaces: their words, their grams of characters, and the grams of those around them."""

from collections.abc import Callable, Iterable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.matching.candidates import Candidates
from app.matching.evidence.carried import Carried
from app.matching.evidence.spaces import HashSpace
from app.matching.title_blends import NEIGHBOURS, BlendedIndex, hash_shares, title_shares
from app.matching.title_grams import TitleGrams
from app.matching.title_index import DECIMALS, VectorIndex, cosines

LEAST = 0.5 * 10.0**-DECIMALS
"""Cosines below this are rounded to 0."""


class TitleSpace:
    """Weighted terms of titles; similarity is their cosine, NaN where one of the titles has no term.

    Args:
        name: of the features.
        postings: of the catalogue.
        terms: what a title is taken apart into.
    """

    least: ClassVar[float] = LEAST

    def __init__(self, name: str, postings: Carried, terms: Callable[[str], Iterable[str]]) -> None:
        self.name = name
        self._terms = TitleGrams(postings.titles, terms)
        self._index = VectorIndex(self._terms.vectors)

    @property
    def index(self) -> VectorIndex:
        """Searches the catalogue's titles."""
        return self._index

    @property
    def own(self) -> csr_array:
        """Weighted terms float32 [n, terms] of the catalogue's titles."""
        return self._index.vectors

    def describe(self, postings: Carried) -> csr_array:
        """Weighted terms of other titles, by the weights of the catalogue."""
        return self._terms.weigh(postings.titles)

    def nearest(self, count: int) -> Candidates:
        """The titles with the highest cosine above 0."""
        return self._index.nearest_others(count)

    def nearest_to(self, postings: csr_array, count: int) -> Candidates:
        """The titles with the highest cosine above 0."""
        return self._index.nearest(postings, count)

    def similarities(
        self, postings: csr_array, lines: NDArray[np.integer], rows: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """The cosine, 0…1."""
        return _cosines(postings, self.own, lines, rows)


class BlendSpace:
    """Titles blended with those that are near them, and with those of pictures of nearly the same hash.

    So a posting without a title is found by the titles of its picture's likes.

    Args:
        plain: the titles of the catalogue.
        hashes: the hashes of the catalogue; None where they are no signal.
    """

    name: ClassVar[str] = "blend"
    least: ClassVar[float] = LEAST

    def __init__(self, plain: TitleSpace, hashes: HashSpace | None) -> None:
        self._plain, self._hashes = plain, hashes
        shares = title_shares(plain.nearest(NEIGHBOURS), len(plain.index))
        if hashes is not None:
            shares = shares + hash_shares(hashes.nearest(NEIGHBOURS), len(plain.index))
        self._index = BlendedIndex(plain.index, csr_array(shares))

    @property
    def own(self) -> csr_array:
        """Blends float32 [n, terms] of the catalogue's titles."""
        return self._index.vectors

    def describe(self, postings: Carried) -> csr_array:
        """The blends of other postings."""
        vectors = self._plain.describe(postings)
        shares = title_shares(self._plain.nearest_to(vectors, NEIGHBOURS), len(self._plain.index))
        if self._hashes is not None:
            nearest = self._hashes.nearest_to(self._hashes.describe(postings), NEIGHBOURS)
            shares = shares + hash_shares(nearest, len(self._plain.index))
        return self._index.blend(vectors, csr_array(shares))

    def nearest(self, count: int) -> Candidates:
        """The blends with the highest cosine above 0."""
        return self._index.nearest_others(count)

    def nearest_to(self, postings: csr_array, count: int) -> Candidates:
        """The blends with the highest cosine above 0."""
        return self._index.nearest(postings, count)

    def similarities(
        self, postings: csr_array, lines: NDArray[np.integer], rows: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """The cosine, 0…1; NaN where one of the blends has no term."""
        return _cosines(postings, self.own, lines, rows)


def _cosines(
    left: csr_array, right: csr_array, lines: NDArray[np.integer], rows: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Cosines of pairs of rows, NaN where one has no term."""
    found = cosines(left, lines, right, rows)
    found[(np.diff(left.indptr) == 0)[lines] | (np.diff(right.indptr) == 0)[rows]] = np.nan
    return found
