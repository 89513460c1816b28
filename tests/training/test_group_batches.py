"""Batches of P groups with K rows each."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricematch.training.group_batches import group_batches

GROUPS = st.lists(st.integers(-1, 6), min_size=2, max_size=40).map(np.array)


@given(GROUPS, st.integers(1, 30), st.integers(2, 4), st.integers(0, 3))
def test_every_group_is_in_one_step_with_as_many_rows_as_asked(
    groups: NDArray[np.intp], batch: int, per_group: int, epoch: int
) -> None:
    batches = group_batches(groups, batch, per_group, 0, epoch)
    rows = np.concatenate(batches) if batches else np.empty(0, int)
    assert Counter(groups[rows].tolist()) == {group: per_group for group in groups.tolist() if group >= 0}
    for found in batches:
        together = groups[found].reshape(-1, per_group)
        assert (together == together[:, :1]).all()
    known = len(set(groups.tolist()) - {-1})
    sizes = [len(found) // per_group for found in batches]
    most = max(2, batch // per_group)
    assert all(2 <= size <= most + 1 for size in sizes) or known < 2
    assert sizes == [] or set(sizes[:-1]) <= {most}


@given(GROUPS, st.integers(2, 5))
def test_rows_of_a_group_are_drawn_as_often_as_each_other_or_once_more(
    groups: NDArray[np.intp], per_group: int
) -> None:
    for found in group_batches(groups, 8, per_group, 0, 0):
        for group in np.unique(groups[found]):
            counts = [int((found == row).sum()) for row in np.flatnonzero(groups == group)]
            assert max(counts) - min(counts) <= 1


def test_seed_and_epoch_draw_the_batches() -> None:
    groups = np.arange(60) // 3
    first, again, epoch, seed = (
        np.concatenate(group_batches(groups, 16, 4, *drawn)).tolist() for drawn in ((0, 0), (0, 0), (0, 1), (1, 0))
    )
    assert first == again
    assert len({tuple(each) for each in (first, epoch, seed)}) == 3
