"""Retrievers: each finds candidates by one similarity, among the postings of a catalogue and for new ones."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from pricematch.catalogue.features import Embeddings, Features, Hashes
from pricematch.pairs.shades import SHADES, shade_similarities
from pricematch.search.candidates import Candidates
from pricematch.search.dense import DenseIndex
from pricematch.search.hamming import HammingIndex, similarity_of
from pricematch.search.sparse import DECIMALS, FEW_QUERIES, SparseIndex, cosines, highest, rounded
from pricematch.titles.normalise import ParsedTitle, parse_titles
from pricematch.titles.vectors import NEIGHBOURS, TfIdf, expand, expand_few, grams, hash_shares, title_shares

T = TypeVar("T")
_Q_contra = TypeVar("_Q_contra", contravariant=True)
Alive: TypeAlias = NDArray[np.bool_] | None
"""bool [n], which of a catalogue's postings are still there; None: all."""
_Rows: TypeAlias = NDArray[np.integer]

IMAGE_RETRIEVERS = ("image", "colours")
"""Retrievers by embeddings of images: an encoder's, and a histogram of `pricematch.encoding.colours`."""
MAX_DISTANCE = 16
"""Bits in which the hashes of candidates differ, at most; unrelated images differ in about 32."""
_LEAST_COSINE = 0.5 * 10.0**-DECIMALS
"""Cosines of titles below this are rounded to 0."""
_BLOCK_VALUES = 4 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class ParsedFeatures:
    """Features of n postings, and their titles parsed once for all that compare them.

    Attributes:
        features: n.
        titles: n, parsed.
    """

    features: Features
    titles: Sequence[ParsedTitle]

    @classmethod
    def of(cls, features: Features) -> "ParsedFeatures":
        """Features with their titles parsed."""
        return cls(features, parse_titles(features.titles))

    def __len__(self) -> int:
        return len(self.features)

    def select(self, rows: _Rows) -> "ParsedFeatures":
        """The features of some postings, in the order given."""
        return ParsedFeatures(self.features.select(rows), [self.titles[row] for row in rows])


@dataclass(frozen=True, eq=False)
class Retrieved:
    """What one retriever has made of m new postings.

    Attributes:
        vectors: of these.
        nearest: the catalogue's postings nearest to each.
        compared: float64 [m, n], the similarity of each to all of the catalogue; None where that was not computed.
    """

    vectors: Any
    nearest: Candidates
    compared: NDArray[np.float64] | None = None


class _Index(Protocol[_Q_contra]):
    """Exact search among some vectors, see `pricematch.search`."""

    def nearest_others(self, count: int) -> Candidates: ...

    def nearest(self, queries: _Q_contra, count: int, alive: Alive = None) -> Candidates: ...


class Retriever(ABC, Generic[T]):
    """Finds candidates by one similarity in a catalogue of n postings.

    `T` holds what is compared of some postings, one vector each. Immutable, safe to use from several threads.

    Args:
        name: of the retriever, and of its pair features.
        least: the similarity from which on postings may be candidates of each other.
        vectors: of the catalogue's postings.
        index: of these vectors.

    Attributes:
        name, least, vectors: as above.
    """

    def __init__(self, name: str, least: float, vectors: T, index: _Index[T]) -> None:
        self.name, self.least, self.vectors, self._index = name, least, vectors, index

    def nearest(self, count: int) -> Candidates:
        """The `count` most similar other postings of each posting of the catalogue."""
        return self._index.nearest_others(count)

    def retrieve(
        self, features: ParsedFeatures, others: "Mapping[str, Retrieved]", count: int, alive: Alive = None
    ) -> Retrieved:
        """The vectors of new postings, and the `count` postings of the catalogue, of those alive, nearest to each.

        `features` and `others` are those of `transform`.
        """
        vectors = self.transform(features, others)
        return Retrieved(vectors, self._index.nearest(vectors, count, alive))

    @abstractmethod
    def transform(self, features: ParsedFeatures, others: "Mapping[str, Retrieved]") -> T:
        """The vectors of new postings.

        Args:
            features: of the new postings.
            others: by name, what other retrievers have made of them.
        """

    @abstractmethod
    def joined(self, one: T, other: T) -> T:
        """The vectors of some postings and of more behind them."""

    @abstractmethod
    def similarities(
        self,
        left: T,
        right: T,
        left_rows: _Rows,
        right_rows: _Rows,
        compared: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float32]:
        """The similarity of pairs of postings, float32 [m]; NaN where one of them has no vector.

        Args:
            left: vectors of the left ends.
            right: vectors of the right ends; may be the same object as `left`.
            left_rows: [m], which of the left.
            right_rows: [m], which of the right.
            compared: of all of the left with all of the right, as in `Retrieved`; None where that is not known.
        """


class HashRetriever(Retriever[Hashes]):
    """Retrieves by perceptual hash, within `MAX_DISTANCE` bits.

    Args:
        hashes: of the catalogue's postings.
    """

    def __init__(self, hashes: Hashes) -> None:
        least = float(similarity_of(np.array(MAX_DISTANCE)))
        super().__init__("hash", least, hashes, HammingIndex(hashes, MAX_DISTANCE))

    def transform(self, features: ParsedFeatures, others: "Mapping[str, Retrieved]") -> Hashes:  # noqa: ARG002
        """The hashes of new postings."""
        return features.features.hashes

    def joined(self, one: Hashes, other: Hashes) -> Hashes:
        """The hashes of both."""
        return one.joined(other)

    def similarities(
        self,
        left: Hashes,
        right: Hashes,
        left_rows: _Rows,
        right_rows: _Rows,
        compared: NDArray[np.float64] | None = None,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """The share of equal bits, 0…1."""
        distance = np.bitwise_count(left.values[left_rows] ^ right.values[right_rows])
        found = similarity_of(distance).astype(np.float32)
        found[~(left.known[left_rows] & right.known[right_rows])] = np.nan
        return found


class EmbeddingRetriever(Retriever[Embeddings]):
    """Retrieves by the cosine of embeddings of images, however low it is.

    Args:
        name: one of `IMAGE_RETRIEVERS`.
        features: of the catalogue, with embeddings of that name, else raises ValueError.
    """

    def __init__(self, name: str, features: Features) -> None:
        embeddings = _embeddings(name, features)
        super().__init__(name, -np.inf, embeddings, DenseIndex(embeddings))

    def transform(self, features: ParsedFeatures, others: "Mapping[str, Retrieved]") -> Embeddings:  # noqa: ARG002
        """The embeddings of new postings."""
        return _embeddings(self.name, features.features)

    def joined(self, one: Embeddings, other: Embeddings) -> Embeddings:
        """The embeddings of both."""
        return np.concatenate([one, other])

    def similarities(
        self,
        left: Embeddings,
        right: Embeddings,
        left_rows: _Rows,
        right_rows: _Rows,
        compared: NDArray[np.float64] | None = None,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """The cosine, −1…1."""
        found = np.empty(len(left_rows), np.float32)
        if len(left) <= FEW_QUERIES and not left.any():  # queries without an image
            found.fill(np.nan)
            return found
        step = max(1, _BLOCK_VALUES // max(1, left.shape[1]))
        for first in range(0, len(left_rows), step):
            piece = slice(first, first + step)
            found[piece] = self._compared(_rows_of(left, left_rows[piece]), right[right_rows[piece]])
        doubtful = np.flatnonzero(found == 0)  # as those of rows of zeros are
        ends = left[left_rows[doubtful]], right[right_rows[doubtful]]
        found[doubtful[~(ends[0].any(axis=1) & ends[1].any(axis=1))]] = np.nan
        return found

    def _compared(self, one: Embeddings, other: Embeddings) -> NDArray[np.float32]:
        """The similarity of each of m embeddings to its other, float32 [m]."""
        return np.asarray(np.einsum("ij,ij->i", one, other), np.float32)


class ShadeRetriever(EmbeddingRetriever):
    """Retrieves colours by the cosine of histograms of shades, and compares them in another light, too.

    So the similarity of a pair may be higher than the cosine that the search has found.
    """

    def _compared(self, one: Embeddings, other: Embeddings) -> NDArray[np.float32]:
        """See `shade_similarities`."""
        return shade_similarities(one, other)


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
        left_rows: _Rows,
        right_rows: _Rows,
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

    def __init__(self, titles: TitleRetriever, hashes: HashRetriever | None, shares: csr_array | None = None) -> None:
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


def retrievers_of(
    parsed: ParsedFeatures,
    weighted: TfIdf | None,
    signals: Sequence[str],
    shares: csr_array | None,
    copies: NDArray[np.integer] | None = None,
) -> list[Retriever[Any]]:
    """The retrievers of some signals of a catalogue, in the order of their pair features.

    Args:
        parsed: features of n postings.
        weighted: the words of their titles; None where titles are no signal.
        signals: some of hash, title and image.
        shares: see `ExpandedTitleRetriever`; None: they are searched.
        copies: [n], see `TfIdf`.
    """
    hashes = HashRetriever(parsed.features.hashes) if "hash" in signals else None
    found: list[Retriever[Any]] = []
    for signal in signals:
        if signal == "hash" and hashes is not None:
            found.append(hashes)
        elif signal == "title" and weighted is not None:
            plain = TitleRetriever("grams", TfIdf(parsed.titles, grams, copies=copies))
            found += [TitleRetriever("words", weighted), plain, ExpandedTitleRetriever(plain, hashes, shares)]
        elif signal == "image":
            found += [image_retriever(name, parsed.features) for name in IMAGE_RETRIEVERS]
    return found


def image_retriever(name: str, features: Features) -> EmbeddingRetriever:
    """One of `IMAGE_RETRIEVERS`; histograms of colours tell by their length whether they are of shades."""
    shades = name == "colours" and _embeddings(name, features).shape[1] == SHADES
    return (ShadeRetriever if shades else EmbeddingRetriever)(name, features)


def _rows_of(embeddings: Embeddings, rows: _Rows) -> Embeddings:
    """Some rows; where they are one and the same, as a query's is, it is not copied."""
    if len(rows) and (rows == rows[0]).all():
        return np.broadcast_to(embeddings[rows[0]], (len(rows), embeddings.shape[1]))
    return embeddings[rows]


def _empty(vectors: csr_array, rows: _Rows) -> NDArray[np.bool_]:
    """Which of some rows hold nothing."""
    return np.asarray(vectors.indptr[rows] == vectors.indptr[rows + 1], np.bool_)


def _embeddings(name: str, features: Features) -> Embeddings:
    if name not in features.embeddings:
        raise ValueError(f"expected postings with embeddings called {name}, got {list(features.embeddings)}")
    return features.embeddings[name]
