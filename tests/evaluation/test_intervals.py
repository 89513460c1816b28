"""Bootstrap intervals."""

import numpy as np
import pytest

from pricematch.evaluation.intervals import bootstrap_interval


def test_it_is_about_two_standard_errors_wide_where_groups_are_independent_postings() -> None:
    values = np.random.default_rng(0).random(2000)
    low, high = bootstrap_interval(values, np.arange(2000), 0)
    error = values.std() / np.sqrt(2000)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=error / 4)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=error / 4)


def test_postings_of_one_group_count_as_one_observation() -> None:
    values, groups = np.random.default_rng(0).random(400), np.arange(400)
    alone = np.diff(bootstrap_interval(values, groups, 0))
    repeated = np.diff(bootstrap_interval(np.repeat(values, 9), np.repeat(groups, 9), 0))
    assert repeated == pytest.approx(alone)  # not a third of it, as of 3,600 independent ones


def test_large_groups_weigh_as_many_postings_as_they_have() -> None:
    # ten groups of 9 postings that score 1, and ninety of one that score 0: half of the postings, a tenth of the groups
    groups = np.concatenate([np.repeat(np.arange(10), 9), np.arange(10, 100)])
    low, high = bootstrap_interval((groups < 10).astype(np.float64), groups, 0)
    assert low < 0.5 < high
    assert low > 0.2


def test_the_same_seed_gives_the_same_interval_and_equal_values_none() -> None:
    values, groups = np.random.default_rng(1).random(50), np.arange(50) // 2
    assert bootstrap_interval(values, groups, 3) == bootstrap_interval(values, groups, 3)
    assert bootstrap_interval(values, groups, 3) != bootstrap_interval(values, groups, 4)
    assert bootstrap_interval(np.full(50, 0.5), groups, 0) == (0.5, 0.5)


@pytest.mark.parametrize("seed", range(3))
def test_numbers_that_no_posting_has_change_nothing(seed: int) -> None:
    values, groups = np.random.default_rng(seed).random(40), np.arange(40) // 4
    for gappy in (7 * groups + 3, 10**12 * groups, groups - 100, 100 - groups[::-1]):
        renumbered = np.array([sorted(set(gappy.tolist())).index(group) for group in gappy])
        assert bootstrap_interval(values, gappy, seed) == bootstrap_interval(values, renumbered, seed)


@pytest.mark.parametrize("groups", [[1_000], [5, 900], [0, 0, 999]])
def test_few_groups_among_many_numbers_have_an_interval_all_the_same(groups: list[int]) -> None:
    low, high = bootstrap_interval(np.linspace(0.2, 0.8, len(groups)), np.array(groups), 0)
    assert 0.2 <= low <= high <= 0.8
