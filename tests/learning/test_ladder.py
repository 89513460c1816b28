"""A matcher that begins at the default: how much it learns depends on how much there is to learn from."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.evaluation.matcher_evaluation import shrunk_pairs
from pricematch.formats.default_matcher import read_default
from pricematch.formats.lightgbm_trees import TreeLearner
from pricematch.learning.fit import FittedMatcher, TrainingData
from pricematch.learning.ladder import fit_on_prior
from pricematch.learning.rungs import Prior
from pricematch.pairs.calibration import log_odds
from pricematch.pairs.home import Homing
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.pairs.thresholds import F1
from tests.support.matchers import drawn_training_data

pytestmark = pytest.mark.slow
DEFAULT = read_default()
PRIOR = Prior(DEFAULT.model, DEFAULT.size_thresholds)


def fitted(data: TrainingData) -> FittedMatcher:
    return fit_on_prior(data, TreeLearner(0, 1), PRIOR, 0, lambda *_: None)


def few(count: int) -> TrainingData:
    """Of the label groups of a catalogue the first ones are known."""
    data = drawn_training_data(200)
    return replace(data, groups=np.where(data.groups < count, data.groups, -1), trained=data.groups < count)


def test_few_groups_move_thresholds_a_little() -> None:
    """Whether trees are worth it is a matter of luck with six groups, so that is not asked."""
    found = fitted(few(6))
    before, after = PRIOR.thresholds.at(F1, 200), found.thresholds.at(F1, 200)
    assert abs(after.match - before.match) < 0.15


def test_it_is_compared_with_the_default_and_each_signal() -> None:
    found = fitted(few(20))
    assert found.comparison is not None
    assert list(found.comparison.others) == ["default", "hash", "title"]
    assert found.comparison.groups == found.groups == 20
    assert len(found.f1) == found.postings


def test_the_same_seed_learns_the_same() -> None:
    one, other = fitted(few(20)), fitted(few(20))
    assert one.comparison == other.comparison
    assert one.thresholds.describe() == other.thresholds.describe()


def test_progress_comes_to_its_end() -> None:
    told: dict[str, tuple[int, int]] = {}
    fit_on_prior(few(8), TreeLearner(0, 1), PRIOR, 0, lambda what, done, total: told.update({what: (done, total)}))
    assert told["Learning"][0] == told["Learning"][1]


def test_a_catalogue_full_of_equal_postings_is_at_home_in_itself() -> None:
    """They are one node where it is searched, and no pairs of their own."""
    data = drawn_training_data(150)
    rows = np.concatenate([np.arange(150), np.repeat(np.arange(0, 150, 3), 3)])
    twice = replace(data, postings=data.postings.select(rows), groups=data.groups[rows], trained=data.trained[rows])
    found = fit_on_prior(twice, NothingToAdd(), PRIOR, 0, lambda *_: None)
    assert found.home is not None
    homing = Homing(found.home, PRIOR.model, PRIOR.thresholds)
    how = found.model, found.thresholds, homing
    assert shrunk_pairs(ParsedFeatures.of(twice.postings), *how)[1].distance == pytest.approx(0, abs=1e-6)


class NothingToAdd:
    """Implements `OffsetLearner` and what it learns, which adds nothing."""

    def fit_on(self, *_: object) -> "NothingToAdd":
        return self

    def added(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.zeros(len(features))

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.zeros(features.shape)


def test_moved_weights_are_not_calibrated_and_keep_most_of_their_thresholds() -> None:
    """Of twenty groups a tenth of the way, n / (n + 200) in log odds, from the default's to what is picked."""
    found = fit_on_prior(few(20), NothingToAdd(), PRIOR, 0, lambda *_: None)
    some = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(found.model.calibration(some), some, rtol=1e-6)
    before, after = (log_odds(np.array([it.at(F1, 200).match]))[0] for it in (PRIOR.thresholds, found.thresholds))
    assert abs(after - before) <= 20 / 220 * 6  # thresholds that are picked lie within six of the default's
