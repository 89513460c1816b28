"""Held-out scores: which model judges which pair, and what it has seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.learning.cross_fitting import FOLDS, cross_fit, predict
from pricematch.learning.rungs import _NEGATIVES, Anew
from pricematch.learning.samples import NOT_TRAINED, Sample, SamplePairs

COUNT, GROUP = 40, 2


@dataclass(frozen=True)
class Seen:
    """Implements `pair_model.Scorer`: 1 if any of a pair's groups was in a pair it learned from.

    Attributes:
        groups: that were.
        both: whether both must have been.
    """

    groups: frozenset[int]

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.array([float(bool(self.groups & set(line.astype(int).tolist()))) for line in features])

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.zeros(features.shape)


class Remembers:
    """Implements `pair_model.Learner`."""

    def __init__(self) -> None:
        self.weights: list[NDArray[np.float32]] = []
        self.truth: list[NDArray[np.bool_]] = []

    def fit(
        self,
        features: NDArray[np.float32],
        truth: NDArray[np.bool_],
        weights: NDArray[np.float32],
        names: Sequence[str],
    ) -> Seen:
        self.weights.append(weights)
        self.truth.append(truth)
        return Seen(frozenset(features.astype(int).ravel().tolist()))


@pytest.fixture
def part() -> SamplePairs:
    """All pairs of 40 postings, two a group; the features are the numbers of both ends' groups.

    Groups 0 to 15 are trained on, 16 and 17 are known and left out, and the last four postings have no group.
    """
    groups = np.arange(COUNT) // GROUP
    fold_of = np.where(groups < 16, groups % FOLDS, NOT_TRAINED).astype(np.int8)
    lines, rows = np.triu_indices(COUNT, 1)
    known = (groups[lines] < 18) & (groups[rows] < 18)
    return SamplePairs(
        Sample(np.arange(COUNT), Features.of([""] * COUNT, [None] * COUNT), whole=True),
        lines.astype(np.int32),
        rows.astype(np.int32),
        np.column_stack([groups[lines], groups[rows]]).astype(np.float32),
        2,
        known & (groups[lines] == groups[rows]),
        known,
        fold_of,
        np.column_stack([fold_of[lines], fold_of[rows]]),
    )


def scored(part: SamplePairs) -> NDArray[np.float64]:
    return cross_fit([part], ("one", "other"), Anew(Remembers()), 0, lambda: None)[0]


def test_a_pair_is_scored_by_a_model_that_saw_neither_group(part: SamplePairs) -> None:
    inside = (part.folds[:, 0] == part.folds[:, 1]) & (part.folds[:, 0] != NOT_TRAINED)
    assert part.truth[inside].any()
    assert (scored(part)[inside] == 0).all()


def test_a_right_pair_is_never_scored_by_its_model(part: SamplePairs) -> None:
    assert (scored(part)[part.truth & part.trainable] == 0).all()


def test_groups_that_are_not_trained_on_are_seen_by_no_model(part: SamplePairs) -> None:
    outside = (part.folds == NOT_TRAINED).all(axis=1)
    assert outside.any()
    assert (scored(part)[outside] == 0).all()


def test_a_pair_across_folds_has_the_mean_of_two_models(part: SamplePairs) -> None:
    """Those that did not see one of its ends."""
    models = [Anew(Remembers()).scorer([part], ("one", "other"), fold, without=fold) for fold in range(FOLDS)]
    every = np.array([predict(model, part, 2, np.arange(len(part))) for model in models])
    found = scored(part)
    for pair, ends in enumerate(part.folds.tolist()):
        folds = [fold for fold in ends if fold != NOT_TRAINED] or list(range(FOLDS))
        assert found[pair] == every[folds, pair].mean()


def test_only_pairs_with_both_ends_trained_on_teach(part: SamplePairs) -> None:
    learner = Remembers()
    model = Anew(learner).scorer([part], ("one", "other"), 0)
    assert model.predict(np.array([[g, g] for g in range(20)], np.float32)).tolist() == [1] * 16 + [0] * 4
    assert learner.truth[0].sum() == 16


def test_some_wrong_pairs_are_drawn_and_weigh_for_all(part: SamplePairs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pricematch.learning.rungs._ENOUGH", 10)
    learner = Remembers()
    Anew(learner).scorer([part], ("one", "other"), 0)
    truth, weights = learner.truth[0], learner.weights[0]
    wrong = part.trainable & ~part.truth
    assert 0.5 * _NEGATIVES * wrong.sum() < (~truth).sum() < 2 * _NEGATIVES * wrong.sum()
    query_ends = ((part.folds != NOT_TRAINED).sum(axis=1) * ~part.truth).sum()  # as often as trained postings ask
    among = 2 * wrong.sum()
    assert (weights[truth] == 1).all()
    np.testing.assert_allclose(weights[~truth], query_ends / among / _NEGATIVES, rtol=1e-6)


def test_of_few_wrong_pairs_all_teach(part: SamplePairs) -> None:
    learner = Remembers()
    Anew(learner).scorer([part], ("one", "other"), 0)
    assert len(learner.truth[0]) == part.trainable.sum()


def test_the_same_seed_learns_the_same_pairs_and_another_others(
    part: SamplePairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pricematch.learning.rungs._ENOUGH", 10)
    learner = Remembers()
    for seed in (0, 0, 1):
        Anew(learner).scorer([part], ("one", "other"), seed)
    assert np.array_equal(learner.truth[0], learner.truth[1])
    assert not np.array_equal(learner.truth[0], learner.truth[2])


def test_each_fold_is_reported_once(part: SamplePairs) -> None:
    reported: list[int] = []
    cross_fit([part], ("one", "other"), Anew(Remembers()), 0, lambda: reported.append(1))
    assert len(reported) == FOLDS
