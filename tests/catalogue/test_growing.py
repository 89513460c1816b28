"""Rows that grow, against arrays that are copied each time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricematch.catalogue.growing import GrowingRows


def drawn(count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((count, 3)).astype(np.float32)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=8))
def test_extended_rows_are_those_of_before_and_the_new_ones_behind_them(sizes: list[int]) -> None:
    parts = [drawn(size, seed) for seed, size in enumerate(sizes)]
    growing = GrowingRows(parts[0])
    for end, part in enumerate(parts[1:], start=2):
        growing = growing.extended(part)
        np.testing.assert_array_equal(growing.rows, np.concatenate(parts[:end]))
        assert len(growing) == len(growing.rows) == sum(sizes[:end])


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 50)), max_size=15))
def test_whoever_holds_rows_sees_no_change_whatever_they_are_extended_by_however_often(
    steps: list[tuple[int, int]],
) -> None:
    held = [(GrowingRows(drawn(5, 0)), drawn(5, 0))]
    for seed, (chosen, size) in enumerate(steps, start=1):
        growing, rows = held[chosen % len(held)]
        more = drawn(size, seed)
        held.append((growing.extended(more), np.concatenate([rows, more])))
    for growing, rows in held:
        np.testing.assert_array_equal(growing.rows, rows)
        assert len(growing) == len(rows)


def test_the_same_rows_extended_twice_do_not_mix() -> None:
    rows = GrowingRows(np.zeros((3, 2), np.int64))
    ones, twos = rows.extended(np.full((2, 2), 1)), rows.extended(np.full((4, 2), 2))
    assert ones.extended(np.full((1, 2), 3)).rows[:, 0].tolist() == [0, 0, 0, 1, 1, 3]
    assert (ones.rows[:, 0].tolist(), twos.rows[:, 0].tolist()) == ([0, 0, 0, 1, 1], [0, 0, 0, 2, 2, 2, 2])


def test_rows_are_copied_and_cannot_be_written_to() -> None:
    given_rows = np.zeros((2, 1))
    growing = GrowingRows(given_rows)
    given_rows[:] = 7
    assert growing.rows.tolist() == [[0], [0]]
    for rows in (growing.rows, growing.extended(np.ones((1, 1))).rows):
        with pytest.raises(ValueError, match="read-only"):
            rows[0] = 1


def test_adding_one_by_one_moves_the_rows_only_now_and_then() -> None:
    growing, moved = GrowingRows(np.zeros(0)), 0
    for value in range(2000):
        longer = growing.extended(np.array([float(value)]))
        moved += not np.shares_memory(longer.rows, growing.rows) and value > 0
        growing = longer
    assert growing.rows.tolist() == list(range(2000))
    assert moved < 12
