"""The pair model: what a probability is made of."""

import numpy as np
from numpy.typing import NDArray

from pricematch.pairs.calibration import PLATT, Calibration
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.model import PairModel
from pricematch.pairs.pair_features import pair_feature_names

MEAN = -1.25


class Weighted:
    """A scorer that adds features up: the log odds are their weighted sum and a constant."""

    def __init__(self, weights: NDArray[np.float64]) -> None:
        self._weights = weights

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        odds: NDArray[np.float64] = 1 / (1 + np.exp(-(self.contributions(features).sum(axis=1) + MEAN)))
        return odds

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return features * self._weights


def test_contributions_sum_to_the_log_odds() -> None:
    """Pair features add what the first scorer says, `first` what the neighbours change."""
    rng = np.random.default_rng(0)
    names = pair_feature_names(("hash",))
    first = Weighted(rng.normal(size=len(names)))
    second = Weighted(rng.normal(size=len(names) + len(GRAPH_FEATURES)) / 4)
    model = PairModel(("hash",), first, second, Calibration(PLATT, (0.0,), (0.5,), 2.0))
    features = rng.random((5, len(model.feature_names))).astype(np.float32)

    found = model.contributions(features)

    place = model.feature_names.index("first")
    assert np.array_equal(found[:, : len(names)], first.contributions(features[:, : len(names)]))
    assert not found[:, place + 1 :].any()
    probability = model.calibration(second.predict(features))
    assert np.allclose(found.sum(axis=1) + MEAN, np.log(probability / (1 - probability)))


def test_no_pairs_have_no_contributions() -> None:
    """Of nothing the shape is still that of the features."""
    names = pair_feature_names(("hash",))
    scorer, other = Weighted(np.zeros(len(names))), Weighted(np.zeros(len(names) + len(GRAPH_FEATURES)))
    model = PairModel(("hash",), scorer, other, Calibration(PLATT, (0.0,), (0.0,), 1.0))
    empty = np.empty((0, len(model.feature_names)), np.float32)
    assert model.contributions(empty).shape == empty.shape
