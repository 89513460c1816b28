"""Scorers of little and of much capacity, learned from the same pairs."""

import numpy as np
import pytest

from pricematch.formats.default_matcher import read_default
from pricematch.formats.lightgbm_trees import TreeLearner
from pricematch.learning.fit import training_parts
from pricematch.learning.rungs import OPEN, Moved, OnTop
from pricematch.learning.samples import NOT_TRAINED, SamplePairs
from pricematch.pairs.feature_names import pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.offset_model import narrowed
from tests.support.matchers import drawn_training_data

DEFAULT, NAMES = read_default().model, pair_feature_names(("hash", "title"))


@pytest.fixture(scope="module")
def parts() -> list[SamplePairs]:
    found = training_parts(drawn_training_data(160), 0, lambda *_: None)
    for part in found:
        part.add_graph_features()
    return found


def log_loss(part: SamplePairs, scores: np.ndarray, seen: np.ndarray) -> float:
    p = np.where(part.truth, scores, 1 - scores)[seen]
    return float(-np.log(np.clip(p, 1e-9, 1)).mean())


def test_labels_move_the_weights_towards_what_they_say(parts: list[SamplePairs]) -> None:
    still, part = narrowed(DEFAULT, ("hash", "title")).first, parts[0]
    features = part.features[:, : len(NAMES)]
    moved = Moved(DEFAULT).scorer(parts, NAMES, 0)
    seen = np.ones(len(part), bool)
    assert log_loss(part, moved.predict(features), seen) < log_loss(part, still.predict(features), seen)


def test_trees_say_more_than_what_they_begin_at(parts: list[SamplePairs]) -> None:
    part = parts[0]
    features = part.features[:, : len(NAMES)]
    moved = Moved(DEFAULT)
    trees = OnTop(moved, TreeLearner(0, 1)).scorer(parts, NAMES, 0)
    seen = part.trainable
    assert log_loss(part, trees.predict(features), seen) < log_loss(
        part, moved.scorer(parts, NAMES, 0).predict(features), seen
    )


def test_a_fold_that_is_left_out_teaches_nothing(parts: list[SamplePairs]) -> None:
    """Whatever its pairs say, the weights stay what they are."""
    before = Moved(DEFAULT).scorer(parts, NAMES, 0, without=1)
    kept = [part.truth.copy() for part in parts]
    for part in parts:
        part.truth[(part.folds == 1).any(axis=1)] ^= True
    after = Moved(DEFAULT).scorer(parts, NAMES, 0, without=1)
    for part, truth in zip(parts, kept, strict=True):
        part.truth[:] = truth
    features = parts[0].features[:, : len(NAMES)]
    assert np.array_equal(before.predict(features), after.predict(features))


def test_without_a_pair_the_default_stays(parts: list[SamplePairs]) -> None:
    for names in (NAMES, (*NAMES, *GRAPH_FEATURES)):
        features = parts[0].features[:, : len(names)]
        model = narrowed(DEFAULT, ("hash", "title"))
        still = model.first if names == NAMES else model.second
        folds = [part.folds.copy() for part in parts]
        for part in parts:
            part.folds[:] = NOT_TRAINED
        moved = Moved(DEFAULT).scorer(parts, names, 0)
        for part, before in zip(parts, folds, strict=True):
            part.folds[:] = before
        np.testing.assert_allclose(moved.predict(features), still.predict(features), rtol=1e-9)


def flipped(parts: list[SamplePairs], chosen: list[np.ndarray]) -> bool:
    """Whether the weights move when the truth of chosen pairs is turned."""
    before = Moved(DEFAULT).scorer(parts, NAMES, 0)
    for part, pairs in zip(parts, chosen, strict=True):
        part.truth[pairs] ^= True
    after = Moved(DEFAULT).scorer(parts, NAMES, 0)
    for part, pairs in zip(parts, chosen, strict=True):
        part.truth[pairs] ^= True
    features = parts[0].features[:, : len(NAMES)]
    return not np.array_equal(before.predict(features), after.predict(features))


def test_pairs_that_the_default_is_sure_are_wrong_teach_nothing(parts: list[SamplePairs]) -> None:
    """Those below a first score of 0.1; those above do."""
    first = narrowed(DEFAULT, ("hash", "title")).first
    scores = [first.predict(part.features[:, : len(NAMES)]) for part in parts]
    assert any((score < OPEN).any() for score in scores)
    assert not flipped(parts, [score < OPEN for score in scores])
    assert flipped(parts, [score >= OPEN for score in scores])


def test_samples_that_lack_titles_and_images_do_not_move_weights(parts: list[SamplePairs]) -> None:
    """They are for trees, which have to learn what is missing."""
    assert any(not part.sample.whole for part in parts)
    assert not flipped(parts, [np.full(len(part), not part.sample.whole) for part in parts])


def test_the_second_regression_stays(parts: list[SamplePairs]) -> None:
    """Moved by few groups, it loses more than it gains."""
    names = (*NAMES, *GRAPH_FEATURES)
    features = parts[0].features[:, : len(names)]
    moved, still = Moved(DEFAULT).scorer(parts, names, 0), narrowed(DEFAULT, ("hash", "title")).second
    np.testing.assert_allclose(moved.predict(features), still.predict(features), rtol=1e-9)
