"""Pair models that begin at the default one: its weights moved, and trees that add to its log odds.

What a shop's labels teach is added to what is known of all shops, so that few labels change little and many as much as
they say: the default's log odds are the offset of the trees (the `init_score` of gradient boosting).
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.evidence import is_evidence
from pricematch.catalogue.fields import Field
from pricematch.pairs.calibration import log_odds
from pricematch.pairs.default_model import FEATURES, AgreementScorer, EvidenceScorer
from pricematch.pairs.feature_names import pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.model import PairModel, Scorer

_FARTHEST = 36.0
EVERY = (*FEATURES, *GRAPH_FEATURES)
"""Names of all features that there are, in order."""


class Additive(Protocol):
    """Adds to log odds by features. Safe to call from several threads."""

    def added(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """What is added to the log odds of pairs, float64 [m], of their features [m, f]."""
        ...

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds to that, float64 [m, f]."""
        ...


class OffsetLearner(Protocol):
    """Learns what is to be added to known log odds."""

    def fit_on(
        self,
        offset: NDArray[np.float64],
        features: NDArray[np.float32],
        truth: NDArray[np.bool_],
        weights: NDArray[np.float32],
        names: Sequence[str],
    ) -> Additive:
        """As `model.Learner.fit`, given the log odds [m] that are known of the pairs."""
        ...


class MovedScorer:
    """Implements `model.Scorer` over the features of some signals: a regression of the default, with other weights.

    Args:
        scorer: of all features; those of other signals are missing to it.
        names: of the f features that it is given, pair features, and graph features behind them where it takes some.

    Raises:
        ValueError: there is no such feature.
    """

    def __init__(self, scorer: EvidenceScorer | AgreementScorer, names: Sequence[str]) -> None:
        self.scorer, self.names = scorer, tuple(names)
        taken = [name for name in self.names if not is_evidence(name)]
        if unknown := set(taken) - set(EVERY):
            raise ValueError(f"expected features of pairs, got {', '.join(sorted(unknown))}")
        self._places = np.array([self.names.index(name) for name in taken], np.intp)
        self._columns = np.array([EVERY.index(name) for name in taken], np.intp)
        self._width = len(FEATURES) if isinstance(scorer, EvidenceScorer) else len(EVERY)

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `model.Scorer`."""
        return self.scorer.predict(self.widened(features))

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `model.Scorer`; what is lacking in every pair adds the same to all, and is left out."""
        found = np.zeros(features.shape)
        found[:, self._places] = self.scorer.contributions(self.widened(features))[:, self._columns]
        return found

    def widened(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """All features, float32 [m, F], of those given [m, f]; NaN for the others."""
        found = np.full((len(features), self._width), np.nan, np.float32)
        found[:, self._columns] = features[:, self._places]
        return found


class OffsetScorer:
    """Implements `model.Scorer`: the logistic function of an offset's log odds and what trees add to them.

    Args:
        offset: whose log odds they are.
        trees: of the same features.
    """

    def __init__(self, offset: Scorer, trees: Additive) -> None:
        self.offset, self.trees = offset, trees

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `model.Scorer`."""
        values = log_odds(self.offset.predict(features)) + self.trees.added(features)
        return np.asarray(1 / (1 + np.exp(-np.clip(values, -_FARTHEST, _FARTHEST))), np.float64)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `model.Scorer`."""
        return self.offset.contributions(features) + self.trees.contributions(features)


def regressions(default: PairModel) -> tuple[EvidenceScorer, AgreementScorer]:
    """Both regressions of the default pair model; raises TypeError for any other."""
    if not (isinstance(default.first, EvidenceScorer) and isinstance(default.second, AgreementScorer)):
        raise TypeError("expected the default pair model")
    return default.first, default.second


def narrowed(default: PairModel, signals: tuple[str, ...], fields: tuple[Field, ...] = ()) -> PairModel:
    """The default pair model where only some signals are compared; of evidence fields it takes nothing."""
    first, second = regressions(default)
    names = pair_feature_names(signals, fields=fields)
    every = (*names, *GRAPH_FEATURES)
    return PairModel(signals, MovedScorer(first, names), MovedScorer(second, every), default.calibration, fields=fields)
