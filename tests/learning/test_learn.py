"""Learning a matcher with a learner that can be told by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.learning import held_out as judging
from pricematch.learning.calibrate import calibrate
from pricematch.learning.cross_fit import FOLDS
from pricematch.learning.held_out import Calibrate, HeldOut
from pricematch.learning.learn import Learned, Lesson, learn
from pricematch.learning.part import Part
from pricematch.matching.index import MatchIndex
from pricematch.pairs.thresholds import F1, TARGETS
from tests.support.lesson import MeanLearner, drawn_lesson

COUNT = 300


def learned(lesson: Lesson, seed: int = 0) -> Learned:
    return learn(lesson, MeanLearner(), seed, lambda *_: None)


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pricematch.learning.samples.LEAST", 60)
        yield


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    return drawn_lesson(COUNT)


@pytest.fixture(scope="module")
def found(lesson: Lesson) -> Learned:
    return learned(lesson)


def test_every_size_has_its_figures_and_thresholds(found: Learned) -> None:
    assert [held_out.postings for held_out in found.held_out] == list(found.thresholds.sizes)
    assert found.thresholds.sizes[-1] == COUNT
    assert set(found.thresholds.thresholds) == set(TARGETS)
    assert len(found.held_out) > 2
    for held_out in found.held_out:
        assert 0 < held_out.recall <= 1
        assert 0 < held_out.candidate_recall <= 1
        assert 0.5 < held_out.f1 <= 1
        assert 0 <= held_out.brier < 0.25
        assert 0 <= held_out.calibration_error <= 1


def test_what_was_learned_is_repeatable_to_the_bit(lesson: Lesson, found: Learned) -> None:
    again = learned(lesson)
    assert again.held_out == found.held_out
    assert again.thresholds.describe() == found.thresholds.describe()
    assert again.model.calibration == found.model.calibration
    one, other = (MatchIndex.build(lesson.postings, it.model) for it in (found, again))
    assert np.array_equal(one.base.probabilities, other.base.probabilities)


def test_counts_are_those_of_what_was_trained_on(lesson: Lesson) -> None:
    half = replace(lesson, trained=lesson.groups % 2 == 0)
    found = learned(half)
    assert found.postings == half.trained.sum()
    assert found.groups == len(set(lesson.groups[half.trained].tolist()))


def test_postings_without_a_group_teach_nothing_and_count_for_nothing(lesson: Lesson) -> None:
    unlabelled = lesson.groups % 3 == 0
    blind = replace(lesson, groups=np.where(unlabelled, -1, lesson.groups))
    learner = MeanLearner()
    found = learn(blind, learner, 0, lambda *_: None)
    assert found.postings == (~unlabelled).sum()
    full = MeanLearner()
    learn(lesson, full, 0, lambda *_: None)
    assert sum(truth.sum() for _, truth, _ in learner.given) < sum(truth.sum() for _, truth, _ in full.given)


def test_a_few_groups_among_many_that_are_not_trained_on_do(lesson: Lesson) -> None:
    sizes = np.bincount(lesson.groups)
    few = np.flatnonzero(sizes > 3)[:FOLDS]
    found = learned(replace(lesson, trained=np.isin(lesson.groups, few)))
    assert found.groups == FOLDS
    assert found.thresholds.sizes[-1] == COUNT


@pytest.mark.parametrize("groups", [0, 1, FOLDS - 1])
def test_fewer_groups_than_folds_are_refused(lesson: Lesson, groups: int) -> None:
    with pytest.raises(ValueError, match=f"expected at least as many label groups as folds, got {groups} and {FOLDS}"):
        learned(replace(lesson, trained=lesson.groups < groups))


def test_groups_of_one_teach_nothing(lesson: Lesson) -> None:
    alone = replace(lesson, groups=np.arange(len(lesson.groups)), trained=np.ones(len(lesson.groups), bool))
    with pytest.raises(ValueError, match="expected postings of one label group among each other's cand"):
        learned(alone)


def test_candidates_that_are_all_in_one_fold_leave_nothing_to_learn_without_it() -> None:
    rng = np.random.default_rng(0)
    hashes = ["0" * 16] * 6 + [f"{int(rng.integers(2**63)):016x}" for _ in range(6)]
    apart = Lesson(Features.of([""] * 12, hashes), ("hash",), np.array([0] * 6 + [*range(1, 7)]), np.ones(12, bool))
    with pytest.raises(ValueError, match="expected candidates in any 3 of 4 parts of the label groups, got none in so"):
        learned(apart)


def test_a_fold_is_judged_by_the_calibration_fitted_without_it(lesson: Lesson, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[Sequence[Part], Sequence[Calibrate]]] = []

    def told(
        postings: int, parts: Sequence[Part], groups: NDArray[np.intp], calibrations: Sequence[Calibrate]
    ) -> HeldOut:
        given.append((parts, calibrations))
        return judging.held_out(postings, parts, groups, calibrations)

    monkeypatch.setattr("pricematch.learning.learn.held_out", told)
    everything = learned(lesson).model.calibration
    parts, raw = [part for same, _ in given for part in same], np.linspace(0, 1, 21)
    for _, calibrations in given:
        for fold, calibration in enumerate(calibrations):
            np.testing.assert_allclose(calibration(raw), calibrate(parts, without=fold)[0](raw), atol=1e-9)
            assert np.abs(calibration(raw) - everything(raw)).max() > 1e-4


def test_groups_that_no_signal_proposes_teach_nothing() -> None:
    blank = Lesson(Features.of([""] * 20, [None] * 20), ("hash", "title"), np.arange(20) // 2, np.ones(20, bool))
    with pytest.raises(ValueError, match="among each other's candidates, got none"):
        learned(blank)


def test_progress_comes_to_its_end(lesson: Lesson) -> None:
    told: dict[str, tuple[int, int]] = {}
    learn(lesson, MeanLearner(), 0, lambda what, done, total: told.update({what: (done, total)}))
    assert set(told) == {"Comparing postings", "Learning"}
    assert all(done == total for done, total in told.values())


def test_a_threshold_is_looked_up_for_any_size(found: Learned) -> None:
    for postings in (1, 700, 10**6):
        assert 0 <= found.thresholds.at(F1, postings).match <= 1
