"""Learning a matcher with a learner whose models are known by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.learning import held_out as judging
from pricematch.learning.calibration import calibrate
from pricematch.learning.cross_fitting import FOLDS
from pricematch.learning.fit import FittedMatcher, TrainingData, fit_matcher
from pricematch.learning.held_out import Bound, Calibrate, HeldOut, Settle
from pricematch.learning.samples import SamplePairs
from pricematch.matching.index import MatchIndex
from pricematch.pairs.thresholds import F1, TARGETS
from tests.support.matchers import MeanLearner, drawn_training_data

COUNT = 300


def fitted(data: TrainingData, seed: int = 0) -> FittedMatcher:
    return fit_matcher(data, MeanLearner(), seed, lambda *_: None)


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pricematch.learning.samples.LEAST", 60)
        yield


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return drawn_training_data(COUNT)


@pytest.fixture(scope="module")
def found(data: TrainingData) -> FittedMatcher:
    return fitted(data)


def test_every_size_has_its_figures_and_thresholds(found: FittedMatcher) -> None:
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


def test_what_was_learned_is_repeatable_to_the_bit(data: TrainingData, found: FittedMatcher) -> None:
    again = fitted(data)
    assert again.held_out == found.held_out
    assert again.thresholds.describe() == found.thresholds.describe()
    assert again.model.calibration == found.model.calibration
    one, other = (MatchIndex.build(data.postings, it.model) for it in (found, again))
    assert np.array_equal(one.base.probabilities, other.base.probabilities)


def test_counts_are_those_of_what_was_trained_on(data: TrainingData) -> None:
    half = replace(data, trained=data.groups % 2 == 0)
    found = fitted(half)
    assert found.postings == half.trained.sum()
    assert found.groups == len(set(data.groups[half.trained].tolist()))


def test_postings_without_a_group_teach_nothing_and_count_for_nothing(data: TrainingData) -> None:
    unlabelled = data.groups % 3 == 0
    blind = replace(data, groups=np.where(unlabelled, -1, data.groups))
    learner = MeanLearner()
    found = fit_matcher(blind, learner, 0, lambda *_: None)
    assert found.postings == (~unlabelled).sum()
    full = MeanLearner()
    fit_matcher(data, full, 0, lambda *_: None)
    assert sum(truth.sum() for _, truth, _ in learner.given) < sum(truth.sum() for _, truth, _ in full.given)


def test_a_few_groups_among_many_that_are_not_trained_on_do(data: TrainingData) -> None:
    sizes = np.bincount(data.groups)
    few = np.flatnonzero(sizes > 3)[:FOLDS]
    found = fitted(replace(data, trained=np.isin(data.groups, few)))
    assert found.groups == FOLDS
    assert found.thresholds.sizes[-1] == COUNT


@pytest.mark.parametrize("groups", [0, 1, FOLDS - 1])
def test_fewer_groups_than_folds_are_refused(data: TrainingData, groups: int) -> None:
    with pytest.raises(ValueError, match=f"expected at least as many label groups as folds, got {groups} and {FOLDS}"):
        fitted(replace(data, trained=data.groups < groups))


def test_groups_of_one_teach_nothing(data: TrainingData) -> None:
    alone = replace(data, groups=np.arange(len(data.groups)), trained=np.ones(len(data.groups), bool))
    with pytest.raises(ValueError, match="expected postings of one label group among each other's cand"):
        fitted(alone)


def test_candidates_of_one_fold_leave_nothing_to_learn() -> None:
    rng = np.random.default_rng(0)
    hashes = ["0" * 16] * 6 + [f"{int(rng.integers(2**63)):016x}" for _ in range(6)]
    apart = TrainingData(
        Features.of([""] * 12, hashes), ("hash",), np.array([0] * 6 + [*range(1, 7)]), np.ones(12, bool)
    )
    with pytest.raises(ValueError, match="expected candidates in any 3 of 4 parts of the label groups, got none in so"):
        fitted(apart)


def test_a_fold_is_evaluated_by_the_calibration_fitted_without_it(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Sequence[SamplePairs], Sequence[Calibrate]]] = []

    def reported(
        postings: int,
        parts: Sequence[SamplePairs],
        groups: NDArray[np.intp],
        calibrations: Sequence[Calibrate],
        bounds: Bound,
        settle: Settle,
    ) -> HeldOut:
        given.append((parts, calibrations))
        return judging.held_out(postings, parts, groups, calibrations, bounds, settle)

    monkeypatch.setattr("pricematch.learning.fit.held_out", reported)
    everything = fitted(data).model.calibration
    parts, raw = [part for same, _ in given for part in same], np.linspace(0, 1, 21)
    for _, calibrations in given:
        for fold, calibration in enumerate(calibrations):
            np.testing.assert_allclose(calibration(raw), calibrate(parts, without=fold)[0](raw), atol=1e-9)
            assert np.abs(calibration(raw) - everything(raw)).max() > 1e-4


def test_groups_that_no_signal_proposes_teach_nothing() -> None:
    blank = TrainingData(Features.of([""] * 20, [None] * 20), ("hash", "title"), np.arange(20) // 2, np.ones(20, bool))
    with pytest.raises(ValueError, match="among each other's candidates, got none"):
        fitted(blank)


def test_progress_comes_to_its_end(data: TrainingData) -> None:
    reported: dict[str, tuple[int, int]] = {}
    fit_matcher(data, MeanLearner(), 0, lambda what, done, total: reported.update({what: (done, total)}))
    assert set(reported) == {"Comparing postings", "Learning"}
    assert all(done == total for done, total in reported.values())


def test_a_threshold_is_looked_up_for_any_size(found: FittedMatcher) -> None:
    for postings in (1, 700, 10**6):
        assert 0 <= found.thresholds.at(F1, postings).match <= 1
