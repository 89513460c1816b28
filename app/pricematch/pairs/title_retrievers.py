"""Retrievers by title: its words or grams, and these expanded by titles of similar postings; all of some signals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from pricematch.pairs.retrievers import (
    IMAGE_RETRIEVERS,
    Alive,
    EmbeddingRetriever,
    HashRetriever,
    ParsedFeatures,
    Retriever,
    embeddings_of,
)
from pricematch.search.candidates import Candidates
from pricematch.search.sparse import DECIMALS, SparseIndex, cosines
from pricematch.titles.vectors import NEIGHBOURS, TfIdf, expand, grams, hash_shares, title_shares

_LEAST = 0.5 * 10.0**-DECIMALS
"""Cosines below this are rounded to 0."""


class _SparseRetriever:
    """Retrieves by the cosine of sparse vectors of titles, above 0.

    Args:
        name: of the retriever.
        vectors: float32 [n, d], rows of unit length or of zeros.
    """

    least: float = _LEAST

    def __init__(self, name: str, vectors: csr_array) -> None:
        self.name = name
        self._index = SparseIndex(vectors)

    @property
    def vectors(self) -> csr_array:
        """The catalogue's titles, float32 [n, d]."""
        return self._index.vectors

    def joined(self, one: csr_array, other: csr_array) -> csr_array:
        """The rows of both."""
        return csr_array(vstack([one, other]))

    def nearest(self, count: int) -> Candidates:
        """See `Retriever.nearest`."""
        return self._index.nearest_others(count)

    def nearest_to(self, vectors: csr_array, count: int, alive: Alive = None) -> Candidates:
        """See `Retriever.nearest_to`."""
        return self._index.nearest(vectors, count, alive)

    def similarities(
        self, left: csr_array, right: csr_array, left_rows: NDArray[np.integer], right_rows: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """The cosine, 0…1; NaN where one of two titles has no term."""
        found = cosines(left, left_rows, right, right_rows)
        found[(np.diff(left.indptr) == 0)[left_rows] | (np.diff(right.indptr) == 0)[right_rows]] = np.nan
        return found


class TitleRetriever(_SparseRetriever):
    """Retrieves by weighted terms of titles.

    Args:
        name: of the retriever.
        terms: weights, fitted to the catalogue's titles.
    """

    def __init__(self, name: str, terms: TfIdf) -> None:
        super().__init__(name, terms.vectors)
        self._terms = terms

    def transform(self, features: ParsedFeatures, alive: Alive = None) -> csr_array:  # noqa: ARG002
        """Weighted terms of new titles, by the weights of the catalogue."""
        return self._terms.transform(features.titles)


class ExpandedTitleRetriever(_SparseRetriever):
    """Retrieves by titles blended with those that are near them, and with those of images of nearly the same hash.

    So a posting without a title is found by the titles of postings whose image resembles its own.

    Args:
        titles: by the titles of the catalogue as they are.
        hashes: by the hashes of the catalogue; None where they are no signal.
        shares: of the nearest titles and hashes in the blends, float32 [n, n]; None: these are searched.

    Attributes:
        shares: as above.
    """

    def __init__(self, titles: TitleRetriever, hashes: HashRetriever | None, shares: csr_array | None = None) -> None:
        self._titles, self._hashes = titles, hashes
        if shares is None:
            alike = None if hashes is None else hashes.nearest(NEIGHBOURS)
            shares = self._shares(titles.nearest(NEIGHBOURS), alike)
        self.shares = shares
        super().__init__("blend", expand(titles.vectors, shares, titles.vectors))

    def transform(self, features: ParsedFeatures, alive: Alive = None) -> csr_array:
        """New titles, blended with titles of the catalogue."""
        vectors, hashes = self._titles.transform(features), self._hashes
        alike = None if hashes is None else hashes.nearest_to(hashes.transform(features), NEIGHBOURS, alive)
        shares = self._shares(self._titles.nearest_to(vectors, NEIGHBOURS, alive), alike)
        return expand(vectors, shares, self._titles.vectors)

    def _shares(self, titles: Candidates, hashes: Candidates | None) -> csr_array:
        """The shares of the nearest titles and hashes in the blends of some postings, float32 [m, n]."""
        size = self._titles.vectors.shape[0]
        found = title_shares(titles, size)
        return csr_array(found if hashes is None else found + hash_shares(hashes, size))


def retrievers_of(
    parsed: ParsedFeatures, weighted: TfIdf | None, signals: Sequence[str], shares: csr_array | None
) -> list[Retriever[Any]]:
    """The retrievers of some signals of a catalogue, in the order of their pair features.

    Args:
        parsed: features of n postings.
        weighted: the words of their titles; None where titles are no signal.
        signals: some of hash, title and image.
        shares: see `ExpandedTitleRetriever`; None: they are searched.
    """
    hashes = HashRetriever(parsed.features.hashes) if "hash" in signals else None
    found: list[Retriever[Any]] = []
    for signal in signals:
        if signal == "hash" and hashes is not None:
            found.append(hashes)
        elif signal == "title" and weighted is not None:
            plain = TitleRetriever("grams", TfIdf(parsed.titles, grams))
            found += [TitleRetriever("words", weighted), plain, ExpandedTitleRetriever(plain, hashes, shares)]
        elif signal == "image":
            found += [EmbeddingRetriever(name, embeddings_of(name, parsed.features)) for name in IMAGE_RETRIEVERS]
    return found
