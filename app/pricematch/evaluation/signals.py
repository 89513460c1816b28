"""The signals: what says that two postings are alike, each over the postings of one catalogue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import BITS, Embeddings, Hashes
from pricematch.search.candidates import NOBODY, Candidates
from pricematch.search.hamming import nearest_hashes
from pricematch.search.lists import MAX_MEMBERS
from pricematch.search.neighbours import nearest_neighbours
from pricematch.search.sparse import SparseIndex
from pricematch.titles.normalise import parse_titles
from pricematch.titles.vectors import TfIdf, words

CANDIDATES = MAX_MEMBERS - 1
"""Other postings a signal proposes for each, since a list holds 50 with the posting itself."""
MAX_DISTANCE = 16
"""Bits up to which hashes are candidates; pictures that have nothing to do with each other differ in about 32."""
HAMMING, COSINE = "Hamming distance in bits, at most", "cosine similarity, at least"
PROBABILITY = "probability, at least"
MATCHER = "matcher"
"""The name of what several signals together say, where it stands among signals."""


class Signal(Protocol):
    """What all signals can do."""

    @property
    def name(self) -> str:
        """`hash`, `title` or `image`."""
        ...

    def candidates(self) -> Candidates:
        """The 49 most similar other postings of each."""
        ...

    def select(self, rows: NDArray[np.integer]) -> "Signal":
        """The signal over some of the postings, each given once and renumbered in the order given."""
        ...


@dataclass(frozen=True, eq=False)
class HashSignal:
    """Perceptual hashes; similarity is the share of equal bits."""

    hashes: Hashes
    name: ClassVar[str] = "hash"

    def candidates(self) -> Candidates:
        """Those within 16 bits."""
        return nearest_hashes(self.hashes, CANDIDATES, MAX_DISTANCE)

    def select(self, rows: NDArray[np.integer]) -> "HashSignal":
        """The hashes of some postings."""
        return HashSignal(Hashes(self.hashes.values[rows], self.hashes.known[rows]))


@dataclass(frozen=True, eq=False)
class TitleSignal:
    """Titles; similarity is the cosine of their weighted words, which depend on all titles of the catalogue."""

    titles: Sequence[str]
    name: ClassVar[str] = "title"

    def candidates(self) -> Candidates:
        """Those that have a word in common."""
        vectors = TfIdf(parse_titles(self.titles), words, single_weight=1).vectors
        return SparseIndex(vectors).nearest_others(CANDIDATES)

    def select(self, rows: NDArray[np.integer]) -> "TitleSignal":
        """The titles of some postings."""
        return TitleSignal([self.titles[row] for row in rows])


@dataclass(frozen=True, eq=False)
class ImageSignal:
    """Embeddings of pictures; similarity is their cosine.

    Attributes:
        embeddings: [m, d].
        rows: intp [m], the posting each belongs to, ascending; the others have no candidates and are none.
        postings: n, how many postings there are.
    """

    embeddings: Embeddings
    rows: NDArray[np.intp]
    postings: int
    name: ClassVar[str] = "image"

    def candidates(self) -> Candidates:
        """The nearest, however far they are."""
        found = nearest_neighbours(self.embeddings, CANDIDATES)
        rows = np.full((self.postings, CANDIDATES), NOBODY, np.int32)
        similarities = np.full((self.postings, CANDIDATES), -np.inf)
        rows[self.rows] = np.where(found.rows == NOBODY, NOBODY, self.rows[found.rows])
        similarities[self.rows] = found.similarities
        return Candidates(rows, similarities)

    def select(self, rows: NDArray[np.integer]) -> "ImageSignal":
        """The embeddings of some postings."""
        places = np.full(self.postings, NOBODY)
        places[self.rows] = np.arange(len(self.rows))
        known = np.flatnonzero(places[rows] != NOBODY)
        return ImageSignal(self.embeddings[places[rows[known]]], known, len(rows))


SIGNALS = (HashSignal.name, TitleSignal.name, ImageSignal.name)
MEASURES = {**dict.fromkeys(SIGNALS, COSINE), HashSignal.name: HAMMING, MATCHER: PROBABILITY}
"""Per signal, and for the matcher, what a threshold of it means, as people are shown it."""


def shown(signal: str, similarity: float) -> float | None:
    """A similarity as people are shown it, in the signal's measure; None for a threshold that takes nothing.

    >>> shown("hash", 0.875), shown("title", 0.5), shown("hash", float("inf"))
    (8, 0.5, None)
    """
    if not np.isfinite(similarity):
        return None
    return round((1 - similarity) * BITS) if MEASURES[signal] == HAMMING else float(similarity)


def between(signal: str, accepted: float, refused: float) -> float:
    """A threshold that takes one similarity and not the next lower one: the middle; of hashes a whole distance.

    Nothing is accepted at inf, and nothing is refused where the two are equal.

    >>> between("hash", 0.875, 0.75), between("title", 0.875, 0.75), between("title", float("inf"), 1.0)
    (0.875, 0.8125, inf)
    """
    return accepted if MEASURES[signal] == HAMMING or np.isinf(accepted) else (accepted + refused) / 2


def meant(signal: str, value: float | None) -> float:
    """The similarity that a value shown stands for; the inverse of `shown`.

    Raises:
        ValueError: no such value can be shown.

    >>> meant("hash", 8), meant("title", 0.5), meant("hash", None)
    (0.875, 0.5, inf)
    """
    if value is None:
        return float("inf")
    if MEASURES[signal] == HAMMING:
        if not (0 <= value <= MAX_DISTANCE and value == int(value)):
            raise ValueError(f"expected a whole number of bits in 0…{MAX_DISTANCE}, got {value:g}")
        return 1 - value / BITS
    if MEASURES[signal] == PROBABILITY and not 0 <= value <= 1:
        raise ValueError(f"expected a probability in 0…1, got {value:g}")
    if not -1 <= value <= 1:
        raise ValueError(f"expected a cosine in −1…1, got {value:g}")
    return float(value)
