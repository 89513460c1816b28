"""Nearest neighbours by Hamming distance, exactly."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import BITS, Hashes
from pricematch.search.candidates import Candidates, places, stacked, top_k

_BLOCK_PAIRS = 4 * 1024 * 1024


def similarity_of(distance: NDArray[np.integer]) -> NDArray[np.float64]:
    """The share of equal bits: 1 for equal hashes, 0 for opposite ones."""
    return 1 - distance / np.float64(BITS)


def nearest_hashes(hashes: Hashes, count: int, max_distance: int) -> Candidates:
    """The `count` nearest other postings of each, within a Hamming distance; see `similarity_of`.

    All pairs are compared, in blocks of four million; postings without a hash have no candidates and are none.

    Args:
        hashes: of n postings.
        count: candidates a posting, at most.
        max_distance: 0…64 bits.
    """
    parts = []
    for first, distance in _blocks(hashes, max_distance):
        line, row = places(distance <= max_distance)
        other = line + first != row
        line, row = line[other], row[other]
        parts.append(top_k(line, row, similarity_of(distance[line, row]), len(distance), count))
    return stacked(parts, count)


def close_hashes(hashes: Hashes, max_distance: int) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint8]]:
    """All pairs of postings within a Hamming distance.

    Returns:
        first and second row int32 [m], first < second, in ascending order, and their distance uint8 [m].
    """
    firsts, seconds, distances = [], [], []
    for first, distance in _blocks(hashes, max_distance):
        line, row = places(distance <= max_distance)
        later = line + first < row
        firsts.append((line[later] + first).astype(np.int32))
        seconds.append(row[later].astype(np.int32))
        distances.append(distance[line[later], row[later]])
    if not firsts:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.uint8)
    return np.concatenate(firsts), np.concatenate(seconds), np.concatenate(distances)


def _blocks(hashes: Hashes, max_distance: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Row number and distances uint8 [block, n] of consecutive blocks; beyond the maximum where a hash is missing."""
    block = max(1, _BLOCK_PAIRS // max(1, len(hashes)))
    for first in range(0, len(hashes), block):
        values = hashes.values[first : first + block, np.newaxis] ^ hashes.values
        distance = np.bitwise_count(values)
        distance[~hashes.known[first : first + block]] = max_distance + 1
        distance[:, ~hashes.known] = max_distance + 1
        yield first, distance
