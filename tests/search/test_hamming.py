"""Hamming distances against counting bits in Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.hashes import parse_hashes
from pricematch.search import hamming
from pricematch.search.candidates import NOBODY
from pricematch.search.hamming import HammingIndex, close_hashes, similarity_of

NEAR = st.integers(0, 7)
"""Few low bits, so that many hashes are near each other or equal."""
TEXTS = st.lists(st.none() | st.builds(lambda low, high: f"{high:01x}{0:014x}{low:01x}", NEAR, NEAR), max_size=14)


def naive_distance(first: str, second: str) -> int:
    return bin(int(first, 16) ^ int(second, 16)).count("1")


def naive_neighbours(texts: list[str | None], line: int, max_distance: int) -> list[tuple[int, int]]:
    """Distance and row of the other hashes within a distance, the nearest first, ties by the lower row."""
    one = texts[line]
    return sorted(
        (naive_distance(one, other), row)
        for row, other in enumerate(texts)
        if one is not None and other is not None and row != line and naive_distance(one, other) <= max_distance
    )


def test_hashes_are_read_as_64_bits_and_missing_ones_are_unknown() -> None:
    found = parse_hashes(["ffffffffffffffff", None, "00000000000000ff"])
    assert found.values.tolist() == [2**64 - 1, 0, 255]
    assert found.known.tolist() == [True, False, True]
    assert len(found) == 3


def test_similarity_is_the_share_of_equal_bits() -> None:
    assert similarity_of(np.array([0, 8, 64])).tolist() == [1, 56 / 64, 0]


@pytest.mark.parametrize("block_pairs", [1, 20, 1 << 22])
@given(texts=TEXTS, count=st.integers(1, 5), max_distance=st.integers(0, 4))
def test_candidates_are_the_nearest_other_hashes_within_the_distance(
    texts: list[str | None], count: int, max_distance: int, block_pairs: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hamming, "_BLOCK_PAIRS", block_pairs)
        found = HammingIndex(parse_hashes(texts), max_distance).nearest_others(count)
    assert found.rows.shape == (len(texts), count)
    for line in range(len(texts)):
        expected = naive_neighbours(texts, line, max_distance)[:count]
        padding = count - len(expected)
        assert found.rows[line].tolist() == [row for _, row in expected] + [NOBODY] * padding
        assert found.similarities[line].tolist() == [1 - bits / 64 for bits, _ in expected] + [-np.inf] * padding


@pytest.mark.parametrize("block_pairs", [1, 1 << 22])
@given(texts=TEXTS, max_distance=st.integers(0, 4))
def test_close_pairs_are_all_within_the_distance_each_once(
    texts: list[str | None], max_distance: int, block_pairs: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hamming, "_BLOCK_PAIRS", block_pairs)
        first, second, distance = close_hashes(parse_hashes(texts), max_distance)
    expected = [
        (line, row, bits)
        for line in range(len(texts))
        for bits, row in sorted(naive_neighbours(texts, line, max_distance), key=lambda found: found[1])
        if row > line
    ]
    assert list(zip(first.tolist(), second.tolist(), distance.tolist(), strict=True)) == expected


def test_hashes_that_are_all_missing_are_no_candidates_of_each_other() -> None:
    found = HammingIndex(parse_hashes([None, None]), 64).nearest_others(3)
    assert (found.rows == NOBODY).all()
    assert [len(part) for part in close_hashes(parse_hashes([]), 8)] == [0, 0, 0]


def test_no_hashes_have_no_candidates() -> None:
    assert HammingIndex(parse_hashes([]), 64).nearest_others(3).rows.shape == (0, 3)
