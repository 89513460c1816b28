"""Signals measured on groups that their thresholds were not picked on."""

import numpy as np
import pytest

from pricematch.evaluation.curves import Curves, pick_thresholds
from pricematch.evaluation.metrics import PairScores, bootstrap_interval, map_at_k, number_groups, recall_at_k, scores
from pricematch.evaluation.signal_evaluation import KS, measure
from pricematch.evaluation.splits import split_groups
from tests.support.catalogues import groups_of, labelled_postings, naive_scores, proposed_pairs

POSTINGS = labelled_postings(80)
GROUPS = number_groups(groups_of(POSTINGS))
CURVES = Curves(proposed_pairs(POSTINGS), GROUPS)
FOLD_OF = split_groups(GROUPS, 4, 0)
CHOICES = [["hash"], ["title"], ["hash", "title"]]


@pytest.mark.parametrize("signals", CHOICES)
def test_postings_are_scored_at_thresholds_of_other_folds(signals: list[str]) -> None:
    measured = measure(CURVES, signals, FOLD_OF, 0)
    for number, fold in enumerate(measured.folds):
        evaluated = np.isin(FOLD_OF, [number])
        assert fold.thresholds == pick_thresholds(CURVES, signals, ~evaluated)
        lists = CURVES.pairs.lists(fold.thresholds)
        expected = np.array(naive_scores([lists[row].tolist() for row in range(80)], groups_of(POSTINGS)))[evaluated]
        np.testing.assert_allclose(measured.scores.f1[evaluated], expected[:, 0])
        np.testing.assert_allclose(measured.scores.precision[evaluated], expected[:, 1])
        np.testing.assert_allclose(measured.scores.recall[evaluated], expected[:, 2])
        assert (fold.f1, fold.precision, fold.recall) == pytest.approx(tuple(expected.mean(axis=0)))
        assert (fold.postings, fold.groups) == (evaluated.sum(), len(set(GROUPS[evaluated].tolist())))
    assert sum(fold.postings for fold in measured.folds) == 80


@pytest.mark.parametrize("signals", CHOICES)
def test_pairs_are_counted_at_thresholds_of_other_folds(signals: list[str]) -> None:
    measured = measure(CURVES, signals, FOLD_OF, 0)
    answered = set()
    for number, fold in enumerate(measured.folds):
        lists = CURVES.pairs.lists(fold.thresholds)
        for row in np.flatnonzero(number == FOLD_OF).tolist():
            answered |= {(row, other) for other in lists[row].tolist() if other != row}
    true_pairs = {(a, b) for a in range(80) for b in range(80) if a != b and GROUPS[a] == GROUPS[b]}
    assert measured.pairwise == PairScores(len(answered & true_pairs), len(answered), len(true_pairs))
    assert 0 < measured.pairwise.f1 < 1


@pytest.mark.parametrize("signals", CHOICES)
def test_the_thresholds_to_take_are_picked_on_all_groups(signals: list[str]) -> None:
    measured = measure(CURVES, signals, FOLD_OF, 0)
    assert measured.thresholds == pick_thresholds(CURVES, signals, np.ones(80, bool))
    picked_on_all = scores(CURVES.pairs.lists(measured.thresholds), GROUPS).mean_f1
    assert measured.scores.mean_f1 <= picked_on_all + 1e-12
    assert measured.interval == bootstrap_interval(measured.scores.f1, GROUPS, 0)


@pytest.mark.parametrize("signals", CHOICES)
def test_candidates_are_evaluated_in_the_order_of_their_margins(signals: list[str]) -> None:
    measured = measure(CURVES, signals, FOLD_OF, 0)
    ranking = CURVES.pairs.ranking(measured.thresholds).rows
    assert list(measured.recall_at_k) == list(measured.map_at_k) == list(KS)
    assert measured.recall_at_k == {k: recall_at_k(ranking, GROUPS, k) for k in KS}
    assert measured.map_at_k == {k: map_at_k(ranking, GROUPS, k) for k in KS}
    true_pairs = {(a, b) for a in range(80) for b in range(80) if a != b and GROUPS[a] == GROUPS[b]}
    proposed = np.max([CURVES.pairs.similarities[signal] for signal in signals], axis=0) > -np.inf
    pairs = set(zip(CURVES.pairs.left[proposed].tolist(), CURVES.pairs.right[proposed].tolist(), strict=True))
    assert measured.candidate_recall == len(true_pairs & pairs) / len(true_pairs)


def test_where_every_posting_is_alone_nothing_is_missed() -> None:
    postings = labelled_postings(12)
    pairs = proposed_pairs(postings)
    measured = measure(Curves(pairs, np.arange(12)), ["hash", "title"], np.arange(12) % 3, 0)
    assert measured.candidate_recall == 1
    assert measured.scores.mean_recall == measured.pairwise.recall == measured.pairwise.f1 == 1
    assert measured.thresholds == {"hash": np.inf, "title": np.inf}
    assert measured.scores.mean_f1 == 1
