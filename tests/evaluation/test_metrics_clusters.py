"""Metrics of clusters and of pairs against their definitions."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricematch.evaluation.metrics import (
    PairScores,
    b_cubed_scores,
    mean_f1_of_partition,
    pairwise_scores_of_lists,
    scores,
)
from pricematch.search.candidates import Lists, lists_of_labels

CLUSTERED = st.lists(st.tuples(st.integers(-1, 4), st.integers(0, 4)), max_size=20)
"""Per posting: the number of its cluster, −1 where it is alone, and that of its group."""


def columns(clustered: list[tuple[int, int]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    table = np.array(clustered, np.intp).reshape(-1, 2)
    return table[:, 0], table[:, 1]


@given(CLUSTERED)
def test_b_cubed_scores_follow_the_definition(
    clustered: list[tuple[int, int]],
) -> None:
    """The shares of each posting's cluster and group that agree."""
    rows = range(len(clustered))
    found = b_cubed_scores(*columns(clustered))
    precisions, recalls = [], []
    for row, (label, group) in enumerate(clustered):
        cluster = {row} | {other for other in rows if clustered[other][0] == label != -1}
        truth = {other for other in rows if clustered[other][1] == group}
        precisions.append(len(cluster & truth) / len(cluster))
        recalls.append(len(cluster & truth) / len(truth))
    np.testing.assert_allclose(found.precision, precisions)
    np.testing.assert_allclose(found.recall, recalls)
    if clustered:
        precision, recall = sum(precisions) / len(clustered), sum(recalls) / len(clustered)
        assert found.b_cubed_f1 == pytest.approx(2 / (1 / precision + 1 / recall))


@given(CLUSTERED)
def test_f1_of_each_posting_averages_to_the_competitions_figure(clustered: list[tuple[int, int]]) -> None:
    labels, groups = columns(clustered)
    parts = [label if label >= 0 else -1 - row for row, label in enumerate(labels.tolist())]
    assert b_cubed_scores(labels, groups).mean_f1 == pytest.approx(mean_f1_of_partition(groups.tolist(), parts))


@given(CLUSTERED.filter(bool))
def test_lists_of_clusters_score_as_clusters(clustered: list[tuple[int, int]]) -> None:
    labels, groups = columns(clustered)
    labels = np.where(labels < 0, -1, np.unique(np.maximum(labels, 0), return_inverse=True)[1]).astype(np.intp)
    lists = lists_of_labels(labels)
    of_lists = pairwise_scores_of_lists(lists, groups, np.ones(len(groups), bool))
    pairs = list(combinations(range(len(clustered)), 2))
    answered = {(a, b) for a, b in pairs if labels[a] == labels[b] != -1}
    expected = {(a, b) for a, b in pairs if groups[a] == groups[b]}
    assert of_lists == PairScores(2 * len(answered & expected), 2 * len(answered), 2 * len(expected))
    np.testing.assert_allclose(scores(lists, groups).precision, b_cubed_scores(labels, groups).precision)


@given(st.lists(st.tuples(st.integers(0, 3), st.permutations(range(8)), st.integers(0, 8), st.booleans()), max_size=8))
def test_pairs_of_lists_count_where_their_first_posting_is_requested(
    answers: list[tuple[int, list[int], int, bool]],
) -> None:
    rows = range(len(answers))
    lists = [
        [row, *(other for other in order[:count] if other < len(answers) and other != row)]
        for row, (_, order, count, _) in enumerate(answers)
    ]
    starts = np.cumsum([0, *map(len, lists)])
    queries = [row for row in rows if answers[row][3]]
    answered = {(row, other) for row in queries for other in lists[row][1:]}
    expected = {(a, b) for a, b in permutations(rows, 2) if answers[a][3] and answers[a][0] == answers[b][0]}
    found = pairwise_scores_of_lists(
        Lists(starts, np.array([row for found in lists for row in found], np.int32)),
        np.array([answer[0] for answer in answers], np.intp),
        np.array([answer[3] for answer in answers], bool),
    )
    assert found == PairScores(len(answered & expected), len(answered), len(expected))


def test_precision_recall_and_f1_are_shares_of_pairs() -> None:
    found = PairScores(3, 4, 12)
    assert (found.precision, found.recall) == (3 / 4, 3 / 12)
    assert found.f1 == pytest.approx(2 * 3 / (4 + 12))  # = tp / (tp + ½ (fp + fn))
    assert found + PairScores(1, 2, 3) == PairScores(4, 6, 15)


def test_empty_answers_are_precise_and_empty_truth_is_complete() -> None:
    """Where nothing is found nothing is wrong; where nothing is to be found nothing is missing."""
    none = PairScores(0, 0, 0)
    assert (none.precision, none.recall, none.f1) == (1, 1, 1)
    silent = PairScores(0, 0, 5)
    assert (silent.precision, silent.recall, silent.f1) == (1, 0, 0)
    wrong = PairScores(0, 4, 5)
    assert (wrong.precision, wrong.recall, wrong.f1) == (0, 0, 0)
    nobody = b_cubed_scores(np.zeros(0, np.intp), np.zeros(0, np.intp))
    assert (nobody.mean_precision, nobody.mean_recall, nobody.b_cubed_f1) == (1, 1, 1)
