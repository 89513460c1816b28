"""Retrievers: each finds candidates by one similarity, among the postings of a catalogue and for new ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, Features, Hashes
from pricematch.search.candidates import Candidates
from pricematch.search.hamming import HammingIndex, similarity_of
from pricematch.search.neighbours import DenseIndex
from pricematch.titles.normalise import ParsedTitle, parse_titles

T = TypeVar("T")
Alive: TypeAlias = NDArray[np.bool_] | None
"""bool [n], which of a catalogue's postings are still there; None: all."""

IMAGE_RETRIEVERS = ("image", "colours")
"""Retrievers by embeddings of images: an encoder's, and the histograms of `pricematch.encoding.colours`."""
MAX_DISTANCE = 16
"""Bits in which the hashes of candidates differ, at most; unrelated images differ in about 32."""
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

    def select(self, rows: NDArray[np.integer]) -> "ParsedFeatures":
        """The features of some postings, in the order given."""
        return ParsedFeatures(self.features.select(rows), [self.titles[row] for row in rows])


class Retriever(Protocol, Generic[T]):
    """Finds candidates by one similarity in a catalogue of n postings.

    `T` holds what is compared of some postings, one vector each. Immutable, safe to use from several threads.
    """

    @property
    def name(self) -> str:
        """Names the retriever, and its pair features."""
        ...

    @property
    def least(self) -> float:
        """The similarity from which on postings may be candidates of each other."""
        ...

    @property
    def vectors(self) -> T:
        """The vectors of the catalogue's postings."""
        ...

    def transform(self, features: ParsedFeatures, alive: Alive = None) -> T:
        """The vectors of new postings, beside those of the catalogue that are alive."""
        ...

    def joined(self, one: T, other: T) -> T:
        """The vectors of some postings and of more behind them."""
        ...

    def nearest(self, count: int) -> Candidates:
        """The `count` most similar other postings of each posting of the catalogue."""
        ...

    def nearest_to(self, vectors: T, count: int, alive: Alive = None) -> Candidates:
        """The `count` most similar postings of the catalogue, of those alive, of each new posting."""
        ...

    def similarities(
        self, left: T, right: T, left_rows: NDArray[np.integer], right_rows: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """The similarity of pairs of postings, float32 [m]; NaN where one of them has no vector.

        Args:
            left: vectors of the left ends.
            right: vectors of the right ends; may be the same object as `left`.
            left_rows: [m], which of the left.
            right_rows: [m], which of the right.
        """
        ...


class HashRetriever:
    """Retrieves by perceptual hash, within `MAX_DISTANCE` bits; similarity is the share of equal bits.

    Args:
        hashes: of the catalogue's postings.
    """

    name: ClassVar[str] = "hash"
    least: ClassVar[float] = float(similarity_of(np.array(MAX_DISTANCE)))

    def __init__(self, hashes: Hashes) -> None:
        self._index = HammingIndex(hashes, MAX_DISTANCE)

    @property
    def vectors(self) -> Hashes:
        """The catalogue's hashes."""
        return self._index.hashes

    def transform(self, features: ParsedFeatures, alive: Alive = None) -> Hashes:  # noqa: ARG002
        """The hashes of new postings."""
        return features.features.hashes

    def joined(self, one: Hashes, other: Hashes) -> Hashes:
        """The hashes of both."""
        return one.joined(other)

    def nearest(self, count: int) -> Candidates:
        """See `Retriever.nearest`."""
        return self._index.nearest_others(count)

    def nearest_to(self, vectors: Hashes, count: int, alive: Alive = None) -> Candidates:
        """See `Retriever.nearest_to`."""
        return self._index.nearest(vectors, count, alive)

    def similarities(
        self, left: Hashes, right: Hashes, left_rows: NDArray[np.integer], right_rows: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """The share of equal bits, 0…1."""
        distance = np.bitwise_count(left.values[left_rows] ^ right.values[right_rows])
        found = similarity_of(distance).astype(np.float32)
        found[~(left.known[left_rows] & right.known[right_rows])] = np.nan
        return found


class EmbeddingRetriever:
    """Retrieves by the cosine of embeddings of images, however low it is.

    Args:
        name: one of `IMAGE_RETRIEVERS`.
        embeddings: float32 [n, d], unit rows, zeros where there is no image.
    """

    least: ClassVar[float] = -np.inf

    def __init__(self, name: str, embeddings: Embeddings) -> None:
        self.name = name
        self._index = DenseIndex(embeddings)

    @property
    def vectors(self) -> Embeddings:
        """The catalogue's embeddings."""
        return self._index.embeddings

    def transform(self, features: ParsedFeatures, alive: Alive = None) -> Embeddings:  # noqa: ARG002
        """The embeddings of new postings."""
        return embeddings_of(self.name, features.features)

    def joined(self, one: Embeddings, other: Embeddings) -> Embeddings:
        """The embeddings of both."""
        return np.concatenate([one, other])

    def nearest(self, count: int) -> Candidates:
        """See `Retriever.nearest`."""
        return self._index.nearest_others(count)

    def nearest_to(self, vectors: Embeddings, count: int, alive: Alive = None) -> Candidates:
        """See `Retriever.nearest_to`."""
        return self._index.nearest(vectors, count, alive)

    def similarities(
        self, left: Embeddings, right: Embeddings, left_rows: NDArray[np.integer], right_rows: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """The cosine, −1…1."""
        found = np.empty(len(left_rows), np.float32)
        step = max(1, _BLOCK_VALUES // max(1, left.shape[1]))
        for first in range(0, len(left_rows), step):
            piece = slice(first, first + step)
            one, other = left[left_rows[piece]], right[right_rows[piece]]
            np.einsum("ij,ij->i", one, other, out=found[piece])
            found[piece][~(one.any(axis=1) & other.any(axis=1))] = np.nan
        return found


def embeddings_of(name: str, features: Features) -> Embeddings:
    """The embeddings of one retriever, float32 [n, d]; raises ValueError where the features have none of that name."""
    if name not in features.embeddings:
        raise ValueError(f"expected postings with embeddings called {name}, got {list(features.embeddings)}")
    return features.embeddings[name]
