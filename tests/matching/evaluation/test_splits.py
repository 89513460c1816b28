"""Splits of label groups."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.matching.evaluation.splits import split_groups, whole_groups
from app.matching.metrics import number_groups

GROUPS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=40).map(number_groups)


@given(GROUPS, st.integers(1, 8), st.integers(0, 3))
def test_no_group_is_on_both_sides_and_every_posting_is_in_one_fold(
    groups: np.ndarray[tuple[int], np.dtype[np.intp]], folds: int, seed: int
) -> None:
    count = len(set(groups.tolist()))
    if count < folds:
        with pytest.raises(ValueError, match=f"as many label groups as folds, got {count} and {folds}"):
            split_groups(groups, folds, seed)
        return
    fold_of = split_groups(groups, folds, seed)
    assert fold_of.shape == groups.shape
    folds_of_group = {group: {fold_of[row] for row in np.flatnonzero(groups == group)} for group in groups.tolist()}
    assert all(len(found) == 1 for found in folds_of_group.values())
    sizes = [sum(found == {fold} for found in folds_of_group.values()) for fold in range(folds)]
    assert sum(sizes) == count
    assert max(sizes) - min(sizes) <= 1


def test_the_seed_deals_the_groups() -> None:
    groups = np.arange(40)
    first, again, other = (split_groups(groups, 5, seed).tolist() for seed in (1, 1, 2))
    assert first == again != other


@given(GROUPS, st.integers(0, 45), st.integers(0, 3))
def test_a_sub_catalogue_holds_whole_groups_and_no_more_than_fit(
    groups: np.ndarray[tuple[int], np.dtype[np.intp]], size: int, seed: int
) -> None:
    rows = whole_groups(groups, size, seed)
    taken = set(groups[rows].tolist())
    assert rows.tolist() == [row for row, group in enumerate(groups.tolist()) if group in taken]
    assert len(rows) <= size or len(taken) == 1
    assert set(rows.tolist()) <= set(whole_groups(groups, size + 5, seed).tolist())
    assert whole_groups(groups, len(groups), seed).tolist() == list(range(len(groups)))


def test_the_seed_draws_the_sub_catalogue() -> None:
    groups = np.arange(40)
    first, again, other = (whole_groups(groups, 20, seed).tolist() for seed in (1, 1, 2))
    assert first == again != other
