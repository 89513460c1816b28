"""Held-out figures, against sets and loops over postings."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.evaluation.reliability import LIKELY
from pricematch.learning.cross_fitting import FOLDS
from pricematch.learning.held_out import held_out, scored_sample
from pricematch.learning.samples import NOT_TRAINED, Sample, SamplePairs, sample_pairs
from pricematch.learning.thresholds import pick
from pricematch.pairs.thresholds import F1
from tests.support.matchers import drawn_training_data

DATA = drawn_training_data(200, trained=0.7)
FOLD_OF = DATA.folds(0)


def same(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return scores


def free(scores: NDArray[np.float64], features: NDArray[np.float32]) -> NDArray[np.float64]:
    """No bounds."""
    return scores


@pytest.fixture(scope="module")
def part() -> SamplePairs:
    sample = Sample(np.arange(200), DATA.postings, whole=True)
    found = sample_pairs(sample, DATA.signals, DATA.groups, FOLD_OF)
    found.second_scores[:] = np.nan_to_num(found.features[:, 1], nan=0.1).clip(0, 1).astype(np.float64) ** 4
    return found


def test_each_posting_is_evaluated_once_by_other_folds(part: SamplePairs) -> None:
    found = held_out(200, [part], DATA.groups, [same] * FOLDS, free)
    figures = []
    for fold in range(FOLDS):
        thresholds = pick([scored_sample(part, part.second_scores, DATA.groups, without=fold)], [F1])[F1]
        for posting in np.flatnonzero(fold == FOLD_OF):
            candidates = {
                int(row if line == posting else line): float(p)
                for line, row, p in zip(part.left, part.right, part.second_scores, strict=True)
                if posting in (line, row)
            }
            answer = {row for row, p in candidates.items() if p >= thresholds.match}
            if not answer and candidates and max(candidates.values()) >= thresholds.fallback:
                answer = {min(row for row, p in candidates.items() if p == max(candidates.values()))}
            answer |= {int(posting)}
            truth = set(np.flatnonzero(DATA.groups == DATA.groups[posting]).tolist())
            hits = len(answer & truth)
            figures.append((2 * hits / (len(answer) + len(truth)), hits / len(answer), hits / len(truth)))
    assert len(figures) == DATA.trained.sum()
    np.testing.assert_allclose([found.f1, found.precision, found.recall], np.mean(figures, axis=0), rtol=1e-9)


def test_errors_are_means_over_trained_postings(part: SamplePairs) -> None:
    found = held_out(200, [part], DATA.groups, [same] * FOLDS, free)
    ends = (part.folds != NOT_TRAINED).sum(axis=1)
    squares = (part.second_scores - part.truth) ** 2
    assert found.brier == pytest.approx((ends * squares).sum() / ends.sum())
    trained = np.flatnonzero(DATA.trained)
    true_pairs = sum(int((DATA.groups == DATA.groups[row]).sum()) - 1 for row in trained)
    proposed = sum(int(ends[pair]) for pair in np.flatnonzero(part.truth))
    assert found.candidate_recall == pytest.approx(proposed / true_pairs)


def test_calibration_is_that_of_the_fold_that_is_left_out(part: SamplePairs) -> None:
    def never(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.zeros(len(scores))

    found = held_out(200, [part], DATA.groups, [same, never, same, same], free)
    squares, weights = [], []
    for fold in range(FOLDS):
        p = never(part.second_scores) if fold == 1 else part.second_scores
        squares.append((p - part.truth) ** 2)
        weights.append((part.folds == fold).sum(axis=1))
    assert found.brier == pytest.approx(np.average(np.concatenate(squares), weights=np.concatenate(weights)))


def test_without_a_likely_pair_there_is_no_error_among_them(part: SamplePairs) -> None:
    def unlikely(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return scores * LIKELY / 2

    assert held_out(200, [part], DATA.groups, [unlikely] * FOLDS, free).calibration_error_likely == 0


def test_probabilities_are_bounded(part: SamplePairs) -> None:
    """As a pair model's are, by the features of each pair."""

    def alike(scores: NDArray[np.float64], features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.where(features[:, 1] == 1, 1.0, scores / 2)

    found = held_out(200, [part], DATA.groups, [same] * FOLDS, alike)
    squares = (alike(part.second_scores, part.features) - part.truth) ** 2
    ends = (part.folds != NOT_TRAINED).sum(axis=1)
    assert found.brier == pytest.approx((ends * squares).sum() / ends.sum())


def test_a_part_predicts_if_postings_are_left_whichever_fold_is(part: SamplePairs) -> None:
    assert part.has_held_out
    alone = np.where(FOLD_OF == 2, FOLD_OF, NOT_TRAINED).astype(np.int8)
    assert not sample_pairs(part.sample, DATA.signals, DATA.groups, alone).has_held_out
