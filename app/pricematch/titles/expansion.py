"""Titles expanded by those of postings that are probably alike, so that two find each other through a third.

One seller's `kerupuk kulit` and another's `rambak sapi` share no word, but whoever writes all of them is near both; and
postings with nearly the same image often share none either. It is the database-side augmentation of image retrieval
(Turcot and Lowe: Better matching with fewer features, 2009), with the weights of α query expansion (Radenović, Tolias
and Chum: Fine-tuning CNN image retrieval, 2018).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from pricematch.search.candidates import Candidates
from pricematch.search.hamming import similarity_of
from pricematch.titles.vectors import unit_rows

NEIGHBOURS = 10
"""Neighbours by one retriever that a title is blended with, at most."""
LEAST_COSINE = 0.3
"""From which on another title is a neighbour."""
MOST_BITS = 6
"""In which the hash of a neighbour's image differs, at most."""
_SMALLEST = 0.01


def expand(vectors: csr_array, shares: csr_array, catalogue: csr_array) -> csr_array:
    """Titles blended with their neighbours: each its own vector and those of its neighbours, times their shares.

    Args:
        vectors: float32 [m, d], the titles as they are.
        shares: float32 [m, n] of their neighbours, the sum of `title_shares` and `hash_shares`.
        catalogue: float32 [n, d], the titles of the catalogue as they are.

    Returns:
        float32 [m, d], rows of unit length, or of zeros, without what is below 0.01 there.
    """
    blends = unit_rows(csr_array(vectors + shares @ catalogue))
    blends.data[blends.data < _SMALLEST] = 0
    blends.eliminate_zeros()
    return unit_rows(blends)


def title_shares(nearest: Candidates, size: int) -> csr_array:
    """The share 2 s² of each title whose cosine s is at least 0.3, of the 10 nearest at most; float32 [m, n].

    Args:
        nearest: the titles of the catalogue nearest to m titles, 10 or more of each if there are.
        size: n, titles of the catalogue.
    """
    similarities = nearest.similarities[:, :NEIGHBOURS]
    return _shares(nearest, similarities >= LEAST_COSINE, 2 * similarities**2, size)


def hash_shares(nearest: Candidates, size: int) -> csr_array:
    """The share of equal bits of each hash that differs in 6 bits at most; see `title_shares`."""
    similarities = nearest.similarities[:, :NEIGHBOURS]
    return _shares(nearest, similarities >= similarity_of(np.array(MOST_BITS)), similarities, size)


def _shares(nearest: Candidates, kept: NDArray[np.bool_], shares: NDArray[np.float64], size: int) -> csr_array:
    queries = np.nonzero(kept)[0]
    values = shares[kept].astype(np.float32)
    return csr_array(coo_array((values, (queries, nearest.rows[:, :NEIGHBOURS][kept])), shape=(len(nearest), size)))
