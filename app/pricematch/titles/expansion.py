"""Titles blended with those of postings that are probably alike, so that two find each other through a third.

One seller's `kerupuk kulit` and another's `rambak sapi` share no word, but whoever writes all of them is near both; and
postings with nearly the same picture often share none either. It is the database-side augmentation of image retrieval
(Turcot and Lowe: Better matching with fewer features, 2009), with the weights of α query expansion (Radenović, Tolias
and Chum: Fine-tuning CNN image retrieval, 2018).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from pricematch.search.candidates import Candidates
from pricematch.search.hamming import similarity_of
from pricematch.search.sparse import VectorIndex, cosines

NEIGHBOURS = 10
"""Neighbours of one signal that a title is blended with, at most."""
LEAST_COSINE = 0.3
"""From which on another title is a neighbour."""
MOST_BITS = 6
"""By which the hash of a neighbour's picture differs, at most."""
_SMALLEST = 0.01


class BlendedIndex:
    """Search among blended titles.

    A blend is the title's own vector and those of its neighbours, each times its share, scaled to unit length without
    what is below 0.01 there.

    Args:
        plain: the n titles as they are.
        shares: float32 [n, n] of each title's neighbours; the sum of `title_shares` and `hash_shares`.
    """

    def __init__(self, plain: VectorIndex, shares: csr_array) -> None:
        self._plain = plain
        self._index = VectorIndex(self.blend(plain.vectors, shares))

    @property
    def vectors(self) -> csr_array:
        """The blended titles of the catalogue, float32 [n, d]."""
        return self._index.vectors

    def blend(self, vectors: csr_array, shares: csr_array) -> csr_array:
        """Titles [m, d] blended with their neighbours in the catalogue, of shares [m, n]; float32 [m, d]."""
        return _unit(_without_small(_unit(csr_array(vectors + shares @ self._plain.vectors))))

    def nearest_others(self, count: int) -> Candidates:
        """The `count` other titles whose blends have the highest cosine to each one's, above 0."""
        return self._index.nearest_others(count)

    def nearest(self, blends: csr_array, count: int, alive: NDArray[np.bool_] | None = None) -> Candidates:
        """The `count` titles whose blends have the highest cosine to each of some blends, above 0; of those `alive`."""
        return self._index.nearest(blends, count, alive)

    def similarities(
        self, blends: csr_array, lines: NDArray[np.integer], rows: NDArray[np.integer]
    ) -> NDArray[np.float32]:
        """Cosines of some blends with the catalogue's, float32 [m], in 0…1."""
        return cosines(blends, lines, self.vectors, rows)


def title_shares(nearest: Candidates, rows: int) -> csr_array:
    """2 s² of each title whose cosine s is at least 0.3, for the 10 nearest at most; float32 [m, rows].

    Args:
        nearest: the titles of the catalogue nearest to m titles, 10 or more of each if there are.
        rows: titles of the catalogue.
    """
    similarities = nearest.similarities[:, :NEIGHBOURS]
    return _shares(nearest, similarities >= LEAST_COSINE, 2 * similarities**2, rows)


def hash_shares(nearest: Candidates, rows: int) -> csr_array:
    """The share of equal bits for each picture's hash that differs in 6 bits at most; see `title_shares`."""
    similarities = nearest.similarities[:, :NEIGHBOURS]
    return _shares(nearest, similarities >= similarity_of(np.array(MOST_BITS)), similarities, rows)


def _shares(nearest: Candidates, kept: NDArray[np.bool_], shares: NDArray[np.float64], rows: int) -> csr_array:
    lines = np.nonzero(kept)[0]
    values = shares[kept].astype(np.float32)
    return csr_array(coo_array((values, (lines, nearest.rows[:, :NEIGHBOURS][kept])), shape=(len(nearest), rows)))


def _unit(matrix: csr_array) -> csr_array:
    """Rows at unit length; those of zeros stay."""
    lines = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    lengths = np.sqrt(np.bincount(lines, matrix.data.astype(np.float64) ** 2, matrix.shape[0]))
    data = (matrix.data / lengths[lines]).astype(np.float32)
    return csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _without_small(matrix: csr_array) -> csr_array:
    matrix.data[matrix.data < _SMALLEST] = 0
    matrix.eliminate_zeros()
    return matrix
