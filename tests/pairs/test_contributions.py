"""What a pair's probability is made of."""

import numpy as np
from numpy.typing import NDArray

from pricematch.pairs.calibration import PLATT, Calibration
from pricematch.pairs.contributions import contributions
from pricematch.pairs.graph_features import AGREEMENT
from pricematch.pairs.model import PairModel
from pricematch.pairs.reference import feature_names

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


def test_contributions_are_those_of_the_first_scorer_and_what_the_neighbours_change() -> None:
    rng = np.random.default_rng(0)
    names = feature_names(("hash",))
    first = Weighted(rng.normal(size=len(names)))
    second = Weighted(rng.normal(size=len(names) + len(AGREEMENT)) / 4)
    model = PairModel(("hash",), first, second, Calibration(PLATT, (0.0,), (0.5,), 2.0))
    features = rng.random((5, len(model.features))).astype(np.float32)

    found = contributions(model, features)

    place = model.features.index("first")
    assert np.array_equal(found[:, : len(names)], first.contributions(features[:, : len(names)]))
    assert not found[:, place + 1 :].any()
    probability = model.calibration(second.predict(features))
    assert np.allclose(found.sum(axis=1) + MEAN, np.log(probability / (1 - probability)))


def test_no_pairs_have_no_contributions() -> None:
    names = feature_names(("hash",))
    scorer, other = Weighted(np.zeros(len(names))), Weighted(np.zeros(len(names) + len(AGREEMENT)))
    model = PairModel(("hash",), scorer, other, Calibration(PLATT, (0.0,), (0.0,), 1.0))
    assert contributions(model, np.empty((0, len(model.features)), np.float32)).shape == (0, len(model.features))
