"""Scorers that begin at the default pair model."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.formats.default_matcher import read_default
from pricematch.pairs.calibration import log_odds
from pricematch.pairs.default_model import FEATURES
from pricematch.pairs.feature_names import pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.offset_model import MovedScorer, OffsetScorer, narrowed, regressions
from tests.support.matchers import tiny_model

DEFAULT = read_default().model


def drawn(columns: int, count: int = 50) -> NDArray[np.float32]:
    return np.random.default_rng(0).random((count, columns)).astype(np.float32)


class Doubled:
    """Implements `offset_model.Additive`: twice the first feature."""

    def added(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return 2 * features[:, 0].astype(np.float64)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        found = np.zeros(features.shape)
        found[:, 0] = self.added(features)
        return found


@pytest.mark.parametrize("signals", [("hash",), ("title",), ("hash", "image")])
def test_signals_that_are_not_compared_are_missing(signals: tuple[str, ...]) -> None:
    names = pair_feature_names(signals)
    features = drawn(len(names))
    every = np.full((len(features), len(FEATURES)), np.nan, np.float32)
    for column, name in enumerate(names):
        every[:, FEATURES.index(name)] = features[:, column]
    scorer = MovedScorer(regressions(DEFAULT)[0], names)
    assert np.array_equal(scorer.predict(features), DEFAULT.first.predict(every))
    assert scorer.contributions(features).shape == features.shape


def test_the_default_of_some_signals_is_a_whole_pair_model() -> None:
    model = narrowed(DEFAULT, ("hash", "title"))
    features = drawn(len(model.feature_names))
    first = model.first.predict(features[:, : -len(GRAPH_FEATURES)])
    probabilities = model.predict_proba(features)
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert model.contributions(features, first, probabilities).shape == features.shape


def test_log_odds_of_offset_and_trees_add_up() -> None:
    offset = MovedScorer(regressions(DEFAULT)[0], FEATURES)
    features, scorer = drawn(len(FEATURES)), OffsetScorer(offset, Doubled())
    expected = log_odds(offset.predict(features)) + 2 * features[:, 0]
    np.testing.assert_allclose(log_odds(scorer.predict(features)), expected, atol=1e-9)
    added = scorer.contributions(features) - offset.contributions(features)
    np.testing.assert_allclose(added.sum(axis=1), 2 * features[:, 0], atol=1e-6)


def test_features_that_there_are_not_are_refused() -> None:
    with pytest.raises(ValueError, match="smell"):
        MovedScorer(regressions(DEFAULT)[0], ("smell",))


def test_only_the_default_has_regressions() -> None:
    with pytest.raises(TypeError, match="expected the default pair model"):
        regressions(tiny_model(("hash",)))
