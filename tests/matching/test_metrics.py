"""Mean F1 of a partition, against its definition."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.matching.metrics import mean_f1_of_partition


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
