"""What the probability of a pair is made of: what each signal says, and what its neighbours change."""

import numpy as np
from numpy.typing import NDArray

from pricematch.pairs.calibration import log_odds
from pricematch.pairs.graph_features import AGREEMENT
from pricematch.pairs.model import PairModel
from pricematch.pairs.reference import feature_names


def contributions(model: PairModel, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """What each feature adds to the log odds of each pair.

    For the evidence it is what it adds to the first scorer's answer. By how much the probability differs from that
    answer in the end is added by the neighbours, and stands under `first`, the other features of `AGREEMENT` being 0:
    the second scorer sees the evidence again in all that the neighbours say, so its own account would name them alone.
    A row's sum is the log odds of the pair's probability, less those of the first scorer's average pair.

    Args:
        model: of the pairs.
        features: [m, f], `PairModel.features`.

    Returns:
        float64 [m, f].
    """
    evidence = len(feature_names(model.signals))
    found = np.zeros(features.shape)
    found[:, :evidence] = model.first.contributions(features[:, :evidence])
    first = log_odds(model.first.predict(features[:, :evidence]))
    last = log_odds(model.calibration(model.second.predict(features)))
    found[:, evidence + AGREEMENT.index("first")] = last - first
    return found
