"""Metrics against their definitions."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.evaluation.metrics import (
    bootstrap_interval,
    group_sizes,
    map_at_k,
    mean_f1_of_partition,
    number_groups,
    recall_at_k,
    scores,
)
from pricematch.search.candidates import Lists


def naive_mean_f1(label_groups: Sequence[int], predicted: Sequence[int]) -> float:
    """Posting by posting, from sets."""
    scores = []
    for row in range(len(label_groups)):
        truth = {other for other in range(len(label_groups)) if label_groups[other] == label_groups[row]}
        answer = {other for other in range(len(predicted)) if predicted[other] == predicted[row]}
        hits, wrong, missed = len(truth & answer), len(answer - truth), len(truth - answer)
        scores.append(hits / (hits + (wrong + missed) / 2))
    return sum(scores) / len(scores)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30))
def test_it_is_the_mean_over_the_postings_of_each_ones_f1(pairs: list[tuple[int, int]]) -> None:
    label_groups, predicted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    assert mean_f1_of_partition(label_groups, predicted) == pytest.approx(naive_mean_f1(label_groups, predicted))


@given(st.lists(st.integers(0, 4), max_size=20))
def test_the_truth_scores_one_whatever_its_parts_are_called(label_groups: list[int]) -> None:
    renamed = [f"part {group}" for group in label_groups]
    assert mean_f1_of_partition(label_groups, renamed) == pytest.approx(1)


def test_no_postings_score_one() -> None:
    assert mean_f1_of_partition([], []) == 1


def test_a_missing_prediction_is_refused() -> None:
    with pytest.raises(ValueError, match="got 2 and 1"):
        mean_f1_of_partition(["a", "b"], [0])


ANSWERS = st.lists(st.tuples(st.integers(0, 3), st.permutations(range(12)), st.integers(0, 12)), max_size=12)
"""Per posting: its group, the other rows in the order they are proposed, and how many of those count."""


def proposed(answers: Sequence[tuple[int, Sequence[int], int]]) -> tuple[list[int], list[list[int]]]:
    """The groups, and each posting's proposals without itself and without rows that do not exist."""
    lists = [
        [other for other in order[:count] if other < len(answers) and other != row]
        for row, (_, order, count) in enumerate(answers)
    ]
    return [group for group, _, _ in answers], lists


def padded(lists: Sequence[Sequence[int]]) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    return np.array([[*found, *[-1] * (12 - len(found))] for found in lists], np.int32).reshape(len(lists), 12)


@given(ANSWERS)
def test_each_posting_is_scored_by_list_and_group(
    answers: list[tuple[int, list[int], int]],
) -> None:
    groups, others = proposed(answers)
    lists = [[row, *found] for row, found in enumerate(others)]
    starts = np.cumsum([0, *(len(found) for found in lists)])
    rows = np.array([other for found in lists for other in found], np.int32)
    measured = scores(Lists(starts, rows), np.array(groups, np.intp))
    for row, found in enumerate(lists):
        truth = {other for other in range(len(groups)) if groups[other] == groups[row]}
        hits, wrong, missed = len(truth & set(found)), len(set(found) - truth), len(truth - set(found))
        assert measured.f1[row] == pytest.approx(hits / (hits + (wrong + missed) / 2))
        assert measured.precision[row] == pytest.approx(hits / (hits + wrong))
        assert measured.recall[row] == pytest.approx(hits / (hits + missed))


def test_means_are_over_the_postings_and_one_where_there_are_none() -> None:
    measured = scores(Lists(np.array([0, 2, 4, 5]), np.array([0, 2, 0, 1, 2])), np.array([0, 0, 1]))
    assert measured.mean_f1 == measured.mean_precision == measured.mean_recall == pytest.approx((0.5 + 1 + 1) / 3)
    assert measured.of(np.array([1, 2])).mean_f1 == 1
    none = measured.of(np.zeros(3, bool))
    assert (none.mean_f1, none.mean_precision, none.mean_recall) == (1, 1, 1)


@given(ANSWERS, st.integers(1, 14))
def test_recall_at_k_follows_the_definition(answers: list[tuple[int, list[int], int]], k: int) -> None:
    """The share of the group's other postings among the first k."""
    groups, lists = proposed(answers)
    shares = []
    for row, found in enumerate(lists):
        others = {other for other in range(len(groups)) if groups[other] == groups[row]} - {row}
        if others:
            shares.append(len(others & set(found[:k])) / len(others))
    expected = sum(shares) / len(shares) if shares else 1
    assert recall_at_k(padded(lists), np.array(groups, np.intp), k) == pytest.approx(expected)


@given(ANSWERS, st.integers(1, 14))
def test_map_at_k_follows_the_definition(answers: list[tuple[int, list[int], int]], k: int) -> None:
    groups, lists = proposed(answers)
    averages = []
    for row, found in enumerate(lists):
        others = {other for other in range(len(groups)) if groups[other] == groups[row]} - {row}
        right = [other in others for other in found[:k]]
        precisions = [sum(right[: place + 1]) / (place + 1) for place, good in enumerate(right) if good]
        if others:
            averages.append(sum(precisions) / min(len(others), k))
    expected = sum(averages) / len(averages) if averages else 1
    assert map_at_k(padded(lists), np.array(groups, np.intp), k) == pytest.approx(expected)


def test_groups_are_numbered_as_they_first_occur() -> None:
    numbers = number_groups(["b", "a", "b", "1e3", "1000"])
    assert numbers.tolist() == [0, 1, 0, 2, 3]
    assert group_sizes(numbers).tolist() == [2, 1, 2, 1, 1]
    assert number_groups([]).tolist() == []


def test_it_is_about_two_standard_errors_wide() -> None:
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


def test_label_groups_are_numbered_in_order_of_occurrence() -> None:
    assert number_groups(["b", None, "a", "b"]).tolist() == [0, -1, 1, 0]
