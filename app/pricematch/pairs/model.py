"""The pair model: from pair features to the probability that both postings are the same product.

Two scorers, one after the other. The first sees the pair features; the second also sees the graph features, which are
made of what the first says of the neighbours of both postings. A calibration turns the second's scores into
probabilities.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pricematch.pairs.calibration import Calibration, log_odds
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.pair_features import pair_feature_names


class Scorer(Protocol):
    """Scores pairs by their features. Safe to call from several threads."""

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores in 0…1, float64 [m], of features [m, f]; higher is surer."""
        ...

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds to the log odds of each pair, float64 [m, f]."""
        ...


class Learner(Protocol):
    """Learns a scorer from pairs whose truth is known."""

    def fit(
        self,
        features: NDArray[np.float32],
        truth: NDArray[np.bool_],
        weights: NDArray[np.float32],
        names: Sequence[str],
    ) -> Scorer:
        """A scorer of features [m, f] of these names, learned from their truth [m] and weights [m]."""
        ...


@dataclass(frozen=True, eq=False)
class PairModel:
    """Both scorers and the calibration.

    Attributes:
        signals: what it needs to know of postings.
        first: of the pair features.
        second: of the pair features, and of the graph features behind them.
        calibration: from the second's scores to probabilities.
    """

    signals: tuple[str, ...]
    first: Scorer
    second: Scorer
    calibration: Calibration

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the f features of a pair: pair features, then graph features."""
        return (*pair_feature_names(self.signals), *GRAPH_FEATURES)

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities float64 [m], between 0 and 1, of features [m, f]."""
        return self.calibration(self.second.predict(features))

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds to the log odds of each pair, float64 [m, f].

        Pair features add what they add to the first scorer's answer. By how much the probability differs from that
        answer in the end is added by the neighbours, and stands under `first`, the other graph features being 0: the
        second scorer sees the pair features again in all that the neighbours say, so its own account would name the
        neighbours alone. A row's sum is the log odds of the pair's probability, less those of the first scorer's
        average pair.

        Args:
            features: [m, f].
        """
        count = features.shape[1] - len(GRAPH_FEATURES)
        found = np.zeros(features.shape)
        found[:, :count] = self.first.contributions(features[:, :count])
        first = log_odds(self.first.predict(features[:, :count]))
        last = log_odds(self.predict_proba(features))
        found[:, count + GRAPH_FEATURES.index("first")] = last - first
        return found
