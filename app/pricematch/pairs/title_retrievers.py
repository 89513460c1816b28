"""Retrievers by titles: by their words, by their characters, and by titles blended with those near them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from pricematch.pairs.retriever import Alive, ParsedFeatures, Retrieved, Retriever, Rows
from pricematch.search.candidates import Candidates
from pricematch.search.sparse import DECIMALS, FEW_QUERIES, SparseIndex, cosines, highest, rounded
from pricematch.titles.vectors import NEIGHBOURS, TfIdf, expand, expand_few, hash_shares, title_shares

_LEAST_COSINE = 0.5 * 10.0**-DECIMALS
"""Cosines of titles below this are rounded to 0."""


class TitleRetriever(Retriever[csr_array]):
    """Retrieves by the cosine of weighted terms of titles, above 0.

    Args:
        name: of the retriever.
        terms: weights, fitted to the catalogue's titles.
        vectors: float32 [n, d], rows of unit length or of zeros; None: those of the terms.

    Attributes:
        terms: as above.
    """

    def __init__(self, name: str, terms: TfIdf, vectors: csr_array | None = None) -> None:
        self.terms, vectors = terms, terms.vectors if vectors is None else vectors
        self._sparse = SparseIndex(vectors)
        super().__init__(name, _LEAST_COSINE, vectors, self._sparse)

    def retrieve(
        self, features: ParsedFeatures, others: "Mapping[str, Retrieved]", count: int, alive: Alive = None
    ) -> Retrieved:
        """See `Retriever.retrieve`; few postings are compared with all of the catalogue."""
        if len(features) > FEW_QUERIES:
            return super().retrieve(features, others, count, alive)
        vectors = self.transform(features, others)
        compared = self._sparse.compared(vectors)
        return Retrieved(vectors, highest(compared, count, alive), compared)

    def nearest_to(
        self, vectors: csr_array, count: int, alive: Alive = None, compared: NDArray[np.float64] | None = None
    ) -> Candidates:
        """See `Retriever.nearest_to`."""
        return super().nearest_to(vectors, count, alive) if compared is None else highest(compared, count, alive)

    def selected(self, vectors: csr_array, rows: Rows) -> csr_array:
        """Some of the rows."""
        return vectors[rows]

    def transform(self, features: ParsedFeatures, others: "Mapping[str, Retrieved]") -> csr_array:  # noqa: ARG002
        """Weighted terms of new titles, by the weights of the catalogue."""
        return self.terms.transform(features.titles)

    def joined(self, one: csr_array, other: csr_array) -> csr_array:
        """The rows of both."""
        return csr_array(vstack([one, other]))

    def similarities(
        self,
        left: csr_array,
        right: csr_array,
        left_rows: Rows,
        right_rows: Rows,
        compared: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float32]:
        """The cosine, 0…1; NaN where one of two titles has no term."""
        if compared is None:
            found = cosines(left, left_rows, right, right_rows)
        else:
            found = rounded(compared[left_rows, right_rows]).astype(np.float32)
        found[_empty(left, left_rows) | _empty(right, right_rows)] = np.nan
        return found


class ExpandedTitleRetriever(TitleRetriever):
    """Retrieves by titles blended with those that are near them, and with those of images of nearly the same hash.

    So a posting without a title is found by the titles of postings whose image resembles its own.

    Args:
        titles: by the titles of the catalogue as they are.
        hashes: by the hashes of the catalogue; None where they are no signal.
        shares: of the nearest titles and hashes in the blends, float32 [n, n]; None: these are searched.

    Attributes:
        shares: as above.
    """

    def __init__(self, titles: TitleRetriever, hashes: Retriever[Any] | None, shares: csr_array | None = None) -> None:
        self._titles, self._hashes = titles, hashes
        if shares is None:
            alike = None if hashes is None else hashes.nearest(NEIGHBOURS)
            shares = self._shares(titles.nearest(NEIGHBOURS), alike)
        self.shares = shares
        super().__init__("blend", titles.terms, expand(titles.vectors, shares, titles.vectors))

    def transform(self, features: ParsedFeatures, others: "Mapping[str, Retrieved]") -> csr_array:
        """New titles, blended with those of the ten nearest candidates or more that grams and hashes have found."""
        titles, alike = others[self._titles.name], None
        if self._hashes is not None:
            alike = others[self._hashes.name].nearest
        if len(features) <= FEW_QUERIES:
            return expand_few(titles.vectors, titles.nearest, alike, self._titles.vectors)
        return expand(titles.vectors, self._shares(titles.nearest, alike), self._titles.vectors)

    def _shares(self, titles: Candidates, hashes: Candidates | None) -> csr_array:
        """The shares of the nearest titles and hashes in the blends of some postings, float32 [m, n]."""
        size = self._titles.vectors.shape[0]
        found = title_shares(titles, size)
        return csr_array(found if hashes is None else found + hash_shares(hashes, size))


def _empty(vectors: csr_array, rows: Rows) -> NDArray[np.bool_]:
    """Which of some rows hold nothing."""
    return np.asarray(vectors.indptr[rows] == vectors.indptr[rows + 1], np.bool_)
