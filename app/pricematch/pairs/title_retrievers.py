"""Titles as spaces: their words, their grams of characters, and the grams of those around them."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from pricematch.pairs.retrievers import Alive, HashSpace, ParsedFeatures
from pricematch.search.candidates import Candidates
from pricematch.search.sparse import DECIMALS, SparseIndex, cosines
from pricematch.titles.expansion import NEIGHBOURS, expand, hash_shares, title_shares
from pricematch.titles.normalise import ParsedTitle
from pricematch.titles.vectors import TfIdf

LEAST = 0.5 * 10.0**-DECIMALS
"""Cosines below this are rounded to 0."""


class _VectorSpace:
    """Sparse rows of titles; similarity is their cosine, NaN where one of two has no term.

    Args:
        name: of the features.
        index: searches the catalogue's titles.
    """

    least: float = LEAST

    def __init__(self, name: str, index: SparseIndex) -> None:
        self.name = name
        self._index = index

    @property
    def own(self) -> csr_array:
        """The catalogue's titles, float32 [n, terms]."""
        return self._index.vectors

    def nearest(self, count: int) -> Candidates:
        """The titles with the highest cosine above 0."""
        return self._index.nearest_others(count)

    def joined(self, one: csr_array, other: csr_array) -> csr_array:
        """The rows of both."""
        return csr_array(vstack([one, other]))

    def nearest_to(self, postings: csr_array, count: int, alive: Alive = None) -> Candidates:
        """The titles with the highest cosine above 0."""
        return self._index.nearest(postings, count, alive)

    def similarities(
        self, left: csr_array, right: csr_array, lines: NDArray[np.integer], rows: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """The cosine, 0…1."""
        found = cosines(left, lines, right, rows)
        found[(np.diff(left.indptr) == 0)[lines] | (np.diff(right.indptr) == 0)[rows]] = np.nan
        return found


class TitleSpace(_VectorSpace):
    """Weighted terms of titles.

    Args:
        name: of the features.
        titles: of the catalogue.
        terms: what a title is taken apart into.
    """

    def __init__(self, name: str, titles: Sequence[ParsedTitle], terms: Callable[[ParsedTitle], Iterable[str]]) -> None:
        self._terms = TfIdf(titles, terms)
        self.index = SparseIndex(self._terms.vectors)
        super().__init__(name, self.index)

    def describe(self, postings: ParsedFeatures, alive: Alive = None) -> csr_array:  # noqa: ARG002
        """Weighted terms of other titles, by the weights of the catalogue."""
        return self._terms.transform(postings.titles)


class BlendSpace(_VectorSpace):
    """Titles blended with those that are near them, and with those of pictures of nearly the same hash.

    So a posting without a title is found by the titles of its picture's likes.

    Args:
        plain: the titles of the catalogue.
        hashes: the hashes of the catalogue; None where they are no signal.
        shares: of the neighbours in each title's blend, float32 [n, n]; None: they are searched.

    Attributes:
        shares: as above.
    """

    def __init__(self, plain: TitleSpace, hashes: HashSpace | None, shares: csr_array | None = None) -> None:
        self._plain, self._hashes = plain, hashes
        if shares is None:
            alike = None if hashes is None else hashes.nearest(NEIGHBOURS)
            shares = self._shares(plain.nearest(NEIGHBOURS), alike)
        self.shares = shares
        super().__init__("blend", SparseIndex(expand(plain.own, shares, plain.own)))

    def describe(self, postings: ParsedFeatures, alive: Alive = None) -> csr_array:
        """The blends of other postings, with titles of the catalogue."""
        vectors, hashes = self._plain.describe(postings), self._hashes
        alike = None if hashes is None else hashes.nearest_to(hashes.describe(postings), NEIGHBOURS, alive)
        shares = self._shares(self._plain.nearest_to(vectors, NEIGHBOURS, alive), alike)
        return expand(vectors, shares, self._plain.own)

    def _shares(self, titles: Candidates, hashes: Candidates | None) -> csr_array:
        """What part the nearest titles and hashes of some postings have in their blends, float32 [m, n]."""
        count = len(self._plain.index)
        found = title_shares(titles, count)
        return csr_array(found if hashes is None else found + hash_shares(hashes, count))
