"""How near the best of many pairs of images is, as the similarity that one pair alone has as seldom by chance.

Of m and m′ images m · m′ pairs are compared, and the best of them is nearer, of postings that have nothing to do with
each other too. If a share F(s) of pairs of images is less similar than s, all of k are with the chance F(s)^k, if they
were independent; one alone is less similar than t with the same chance where F(t) = F(s)^k.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.catalogue.layers import Layered
from pricematch.pairs.neighbours import Mapped

_POSTINGS, _IMAGES = 1024, 2048
"""Of a catalogue, evenly chosen, at most: between which similarities are looked at."""
_KNOTS = 2048
_BEYOND = 1 + 1e-6
"""Cosines are less, but for rounding."""


@dataclass(frozen=True, eq=False)
class BestOfMany:
    """The similarities of single images of a catalogue to those of other postings. Immutable.

    Attributes:
        similarities: float64 [k], ascending; the last is above all that there are.
        shares: float64 [k], what share of pairs of images is less similar than each; ascending, the last is 1.
        images: how many a posting has on average, of those that have one.
    """

    similarities: NDArray[np.float64]
    shares: NDArray[np.float64]
    images: float

    @classmethod
    def of(cls, vectors: Layered[Embeddings]) -> "BestOfMany":
        """Those of a catalogue's embeddings, unit rows, zeros where there is none."""
        chosen = vectors.select(_evenly(len(vectors), _POSTINGS))
        rows, values = chosen.rows, chosen.values
        known = np.flatnonzero(values.any(axis=1))
        images = len(known) / max(1, len(np.unique(rows[known])))
        known = known[_evenly(len(known), _IMAGES)]
        one, other = np.triu_indices(len(known), 1)
        apart = rows[known][one] != rows[known][other]
        found = np.sort((values[known] @ values[known].T)[one[apart], other[apart]].astype(np.float64))
        from_above = np.unique(np.geomspace(1, max(1, len(found)), _KNOTS).astype(np.intp))[::-1]  # few are near
        places = (len(found) - from_above)[: len(found)]
        similarities, first = np.unique(np.append(found[places], _BEYOND), return_index=True)
        return cls(similarities, np.append((places + 0.5) / max(1, len(found)), 1.0)[first], images)

    def of_one(
        self, similarities: NDArray[np.floating], pairs: NDArray[np.floating | np.integer]
    ) -> NDArray[np.float64]:
        """The similarities of one pair of images that are as seldom by chance, float64.

        Ascending with the similarity; of one pair, and where the catalogue says nothing, they stay as they are.

        Args:
            similarities: of postings; NaN and −inf stay.
            pairs: of how many pairs of images each is the best; broadcast to the similarities.
        """
        values, pairs = np.broadcast_arrays(similarities.astype(np.float64), pairs)
        several = (pairs > 1) & (values > self.similarities[0])
        found = np.array(values)
        shares = np.interp(values[several], self.similarities, self.shares) ** pairs[several]
        found[several] = np.interp(shares, self.shares, self.similarities)
        return found

    def around(self, vectors: Layered[Embeddings]) -> Mapped:
        """Maps so the similarities of neighbours of postings of these vectors.

        Which neighbours they are is not known any more: each is taken to have as many images as is usual.
        """

        def mapped(similarities: NDArray[np.float64], rows: NDArray[np.integer]) -> NDArray[np.float64]:
            return self.of_one(similarities, (self.images * images_held(vectors, rows))[:, np.newaxis])

        return mapped


def images_held(vectors: Layered[Embeddings], rows: NDArray[np.integer]) -> NDArray[np.intp]:
    """How many images with an embedding some postings [m] have, intp [m], at least 1."""
    every, place = np.unique(rows, return_inverse=True)
    counts = np.zeros(len(every), np.intp)
    for _, values, held, places in vectors.places(every):
        counts[held] += values[places].any(axis=1)
    return np.asarray(np.maximum(counts, 1)[place], np.intp)


def _evenly(count: int, most: int) -> NDArray[np.intp]:
    """Up to so many of `count` positions, evenly chosen."""
    return np.linspace(0, max(0, count - 1), min(count, most)).astype(np.intp)
