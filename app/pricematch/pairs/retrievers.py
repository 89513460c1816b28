"""The similarities that pairs are judged by, each over the postings of one catalogue, and for new ones against it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, Features, Hashes
from pricematch.search.candidates import NOBODY, Candidates, stacked, top_k
from pricematch.search.hamming import nearest_hashes, similarity_of
from pricematch.search.neighbours import nearest_neighbours
from pricematch.titles.normalise import ParsedTitle, parse_titles

T = TypeVar("T")
Alive: TypeAlias = NDArray[np.bool_] | None
"""bool [n], which of a catalogue's postings are still there; None: all."""

IMAGE_SPACES = ("image", "colours")
"""The spaces of pictures' embeddings: an encoder's, and the histograms of `pricematch.encoding.features`."""
MAX_DISTANCE = 16
"""Bits up to which hashes propose a pair; pictures that have nothing to do with each other differ in about 32."""


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


class Space(Protocol, Generic[T]):
    """One similarity over a catalogue of n postings. `T` is how a space holds some postings."""

    @property
    def name(self) -> str:
        """How features of this similarity are called."""
        ...

    @property
    def least(self) -> float:
        """The similarity from which on one posting is among another's nearest."""
        ...

    @property
    def own(self) -> T:
        """The catalogue's postings."""
        ...

    def describe(self, postings: ParsedFeatures, alive: Alive = None) -> T:
        """Other postings as this space holds them, beside those of the catalogue that are alive."""
        ...

    def joined(self, one: T, other: T) -> T:
        """Some postings and some more behind them."""
        ...

    def nearest(self, count: int) -> Candidates:
        """The `count` most similar other postings of each of the catalogue's."""
        ...

    def nearest_to(self, postings: T, count: int, alive: Alive = None) -> Candidates:
        """The `count` most similar postings of the catalogue, of those alive, of each of others."""
        ...

    def similarities(
        self, left: T, right: T, lines: NDArray[np.integer], rows: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """Similarity float32 [m] of pairs, `lines` of some postings and `rows` of others; NaN where one lacks it."""
        ...


class HashSpace:
    """Perceptual hashes; similarity is the share of equal bits."""

    name: ClassVar[str] = "hash"
    least: ClassVar[float] = float(similarity_of(np.array(MAX_DISTANCE)))

    def __init__(self, postings: Features) -> None:
        self._own = postings.hashes

    @property
    def own(self) -> Hashes:
        """The catalogue's hashes."""
        return self._own

    def describe(self, postings: ParsedFeatures, alive: Alive = None) -> Hashes:  # noqa: ARG002
        """The hashes of other postings."""
        return postings.features.hashes

    def joined(self, one: Hashes, other: Hashes) -> Hashes:
        """The hashes of both."""
        return one.joined(other)

    def nearest(self, count: int) -> Candidates:
        """Those within `MAX_DISTANCE` bits."""
        return nearest_hashes(self._own, count, MAX_DISTANCE)

    def nearest_to(self, postings: Hashes, count: int, alive: Alive = None) -> Candidates:
        """Those within `MAX_DISTANCE` bits."""
        parts, there = [], self._own.known if alive is None else self._own.known & alive
        for value, known in zip(postings.values, postings.known, strict=True):
            distance = np.bitwise_count(self._own.values ^ value)
            row = np.flatnonzero((distance <= MAX_DISTANCE) & there & known)
            parts.append(top_k(np.zeros(len(row), np.intp), row, similarity_of(distance[row]), 1, count))
        return stacked(parts, count)

    def similarities(
        self, left: Hashes, right: Hashes, lines: NDArray[np.integer], rows: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """The share of equal bits."""
        found = similarity_of(np.bitwise_count(left.values[lines] ^ right.values[rows])).astype(np.float32)
        found[~(left.known[lines] & right.known[rows])] = np.nan
        return found


class ImageSpace:
    """Embeddings of pictures; similarity is their cosine.

    Args:
        name: one of `IMAGE_SPACES`.
        postings: that carry such embeddings.
    """

    least: ClassVar[float] = -np.inf

    def __init__(self, name: str, postings: Features) -> None:
        self.name = name
        self._own = self._embeddings(postings)
        self._pictured = _pictured(self._own)
        self._known = np.flatnonzero(self._pictured)

    @property
    def own(self) -> Embeddings:
        """The catalogue's embeddings."""
        return self._own

    def describe(self, postings: ParsedFeatures, alive: Alive = None) -> Embeddings:  # noqa: ARG002
        """The embeddings of other postings."""
        return self._embeddings(postings.features)

    def _embeddings(self, postings: Features) -> Embeddings:
        if self.name not in postings.embeddings:
            raise ValueError(f"expected postings with embeddings called {self.name}, got {list(postings.embeddings)}")
        return postings.embeddings[self.name]

    def joined(self, one: Embeddings, other: Embeddings) -> Embeddings:
        """The embeddings of both."""
        return np.concatenate([one, other])

    def nearest(self, count: int) -> Candidates:
        """The nearest, however far they are."""
        known = self._known
        found = nearest_neighbours(self._own[known], count)
        rows = np.full((len(self._own), count), NOBODY, np.int32)
        similarities = np.full((len(self._own), count), -np.inf)
        rows[known] = np.where(found.rows == NOBODY, NOBODY, known[found.rows])
        similarities[known] = found.similarities
        return Candidates(rows, similarities)

    def nearest_to(self, postings: Embeddings, count: int, alive: Alive = None) -> Candidates:
        """The nearest, however far they are."""
        parts, known = [], self._known if alive is None else np.flatnonzero(self._pictured & alive)
        for embedding in postings:
            row = known if embedding.any() else known[:0]
            similarity = (self._own[row] @ embedding).astype(np.float64)
            parts.append(top_k(np.zeros(len(row), np.intp), row, similarity, 1, count))
        return stacked(parts, count)

    def similarities(
        self, left: Embeddings, right: Embeddings, lines: NDArray[np.integer], rows: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """The cosine, −1…1."""
        found = np.empty(len(lines), np.float32)
        step = max(1, 4 * 1024 * 1024 // max(1, self._own.shape[1]))
        for first in range(0, len(lines), step):
            piece = slice(first, first + step)
            np.einsum("ij,ij->i", left[lines[piece]], right[rows[piece]], out=found[piece])
        found[~(self._known_of(left)[lines] & self._known_of(right)[rows])] = np.nan
        return found

    def _known_of(self, postings: Embeddings) -> NDArray[np.bool_]:
        """Which of some postings have a picture; of the catalogue's own it is known, and asked for block by block."""
        return self._pictured if postings is self._own else _pictured(postings)


def _pictured(embeddings: Embeddings) -> NDArray[np.bool_]:
    """Which rows are embeddings, bool [n]; those of zeros stand for postings without a picture."""
    return np.asarray(embeddings.any(axis=1), np.bool_)
