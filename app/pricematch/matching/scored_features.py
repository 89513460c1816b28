"""The features of pairs beside what the pair model makes of them, from which it says why it decides so."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.model import PairModel


@dataclass(frozen=True, eq=False)
class ScoredFeatures:
    """The features of m pairs, and what the pair model makes of them.

    Attributes:
        values: float32 [m, f], `PairModel.feature_names`.
        first: float64 [m], scores of the model's first stage.
        probabilities: float64 [m].
    """

    values: NDArray[np.float32]
    first: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.values)

    def joined(self, more: "ScoredFeatures") -> "ScoredFeatures":
        """Those of these pairs, and of more behind them."""
        return ScoredFeatures(
            np.concatenate([self.values, more.values]),
            np.concatenate([self.first, more.first]),
            np.concatenate([self.probabilities, more.probabilities]),
        )

    def select(self, pairs: NDArray[np.integer]) -> "ScoredFeatures":
        """Those of some pairs, in the order given."""
        return ScoredFeatures(self.values[pairs], self.first[pairs], self.probabilities[pairs])

    def with_feature(
        self, model: PairModel, name: str, values: NDArray[np.float32]
    ) -> tuple["ScoredFeatures", NDArray[np.bool_]]:
        """The same with other values [m] of a pair feature, and of which pairs it is another one, bool [m].

        These pairs are scored anew; what neighbours say of them stays.
        """
        column = model.feature_names.index(name)
        before = self.values[:, column]
        changed = np.asarray((before != values) & ~(np.isnan(before) & np.isnan(values)), np.bool_)
        if not changed.any():
            return self, changed
        every, first, probabilities = self.values.copy(), self.first.copy(), self.probabilities.copy()
        every[changed, column] = values[changed]
        count = every.shape[1] - len(GRAPH_FEATURES)
        first[changed] = model.first.predict(every[changed, :count])
        probabilities[changed] = model.predict_proba(every[changed])
        return ScoredFeatures(every, first, probabilities), changed

    def contributions(self, model: PairModel) -> NDArray[np.float64]:
        """What each feature adds to the log odds of each pair, see `PairModel.contributions`."""
        return model.contributions(self.values, self.first, self.probabilities)
