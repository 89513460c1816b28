"""What a retriever is: it finds candidates by one similarity, among the postings of a catalogue and for new ones."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.search.candidates import Candidates
from pricematch.titles.normalise import ParsedTitle, parse_titles

T = TypeVar("T")
_Q_contra = TypeVar("_Q_contra", contravariant=True)
Alive: TypeAlias = NDArray[np.bool_] | None
"""bool [n], which of a catalogue's postings are still there; None: all."""
Rows: TypeAlias = NDArray[np.integer]


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

    def select(self, rows: Rows) -> "ParsedFeatures":
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

    def nearest_to(
        self,
        vectors: T,
        count: int,
        alive: Alive = None,
        compared: NDArray[np.float64] | None = None,  # noqa: ARG002
    ) -> Candidates:
        """The `count` postings of the catalogue, of those alive, nearest to each of some vectors.

        Args:
            vectors: of m postings, as `transform` gives them.
            count: postings a vector, at most.
            alive: bool [n]; None: all.
            compared: as in `Retrieved`, where it is known.
        """
        return self._index.nearest(vectors, count, alive)

    @abstractmethod
    def selected(self, vectors: T, rows: Rows) -> T:
        """Some of the vectors, in the order given."""

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
        left_rows: Rows,
        right_rows: Rows,
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
