"""Exact neighbours among 64-bit hashes by Hamming distance: the nearest of each hash or query, and all close pairs."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.hashes import BITS, Hashes
from pricematch.search.candidates import Candidates, places, stacked, top_k

_BLOCK_PAIRS = 4 * 1024 * 1024


def similarity_of(distance: NDArray[np.integer]) -> NDArray[np.float64]:
    """The share of equal bits: 1 for equal hashes, 0 for opposite ones."""
    return 1 - distance / np.float64(BITS)


class HammingIndex:
    """The nearest hashes within a Hamming distance; see `similarity_of`. Immutable, safe to use from several threads.

    All pairs are compared, in blocks of four million; postings without a hash have no candidates and are none.

    Args:
        hashes: of n postings.
        max_distance: 0…64 bits.
    """

    def __init__(self, hashes: Hashes, max_distance: int) -> None:
        self.hashes = hashes
        self._max_distance = max_distance

    def nearest_others(self, count: int) -> Candidates:
        """The `count` nearest other hashes of each."""
        return self._search(self.hashes, count, self.hashes.known, others=True)

    def nearest(self, queries: Hashes, count: int, alive: NDArray[np.bool_] | None = None) -> Candidates:
        """The `count` nearest hashes of each query.

        Args:
            queries: m hashes.
            count: candidates a query, at most.
            alive: bool [n], which hashes may be candidates; None: all.
        """
        known = self.hashes.known
        return self._search(queries, count, known if alive is None else known & alive, others=False)

    def _search(self, queries: Hashes, count: int, there: NDArray[np.bool_], *, others: bool) -> Candidates:
        parts = []
        for first, distance in _blocks(queries, Hashes(self.hashes.values, there)):
            query, row = places(distance <= self._max_distance)
            if others:
                apart = query + first != row
                query, row = query[apart], row[apart]
            parts.append(top_k(query, row, similarity_of(distance[query, row]), len(distance), count))
        return stacked(parts, count)


def close_hashes(hashes: Hashes, max_distance: int) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint8]]:
    """All pairs of postings within a Hamming distance.

    Returns:
        left and right row int32 [m], left < right, in ascending order, and their distance uint8 [m].
    """
    lefts, rights, distances = [np.empty(0, np.int32)], [np.empty(0, np.int32)], [np.empty(0, np.uint8)]
    for first, distance in _blocks(hashes, hashes):
        left, right = places(distance <= max_distance)
        later = left + first < right
        left, right = left[later], right[later]
        lefts.append((left + first).astype(np.int32))
        rights.append(right.astype(np.int32))
        distances.append(distance[left, right])
    return np.concatenate(lefts), np.concatenate(rights), np.concatenate(distances)


def _blocks(queries: Hashes, hashes: Hashes) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Number of the first query and distances uint8 [block, n] of consecutive blocks; 65 where a hash is missing."""
    block = max(1, _BLOCK_PAIRS // max(1, len(hashes)))
    for first in range(0, len(queries), block):
        distance = np.bitwise_count(queries.values[first : first + block, np.newaxis] ^ hashes.values)
        distance[~queries.known[first : first + block]] = BITS + 1
        distance[:, ~hashes.known] = BITS + 1
        yield first, distance
