"""The default pair model: a dozen terms that mean the same in every shop, so that it needs no labels of this one.

Boosted trees learn from thousands of label groups what one shop looks like, and are wrong in the next. This model is
two logistic regressions of few terms: the first sums what images and titles say, each normalised against the posting's
own neighbours or bounded by itself; the second adds whether the neighbours of both ends agree. Where verdicts of a
catalogue teach, they teach a second one that has all of these terms. No weight has a sign by which a more similar pair
would be less probable.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.hashes import BITS
from pricematch.pairs.calibration import PLATT, Calibration, log_odds
from pricematch.pairs.feature_names import SCALED, SIGNALS, pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.model import PairModel

FEATURES = pair_feature_names(SIGNALS)
"""Names of the pair features that the model takes."""
_MOST_SCALED = 5.0
"""Times that images are nearer than is usual around them, at most: beyond, more says no more."""
_USUAL = 1.2
_NEAR_BITS = 16
_MOST_FACTS = 3.0
_LEAST_COSINE = 0.01
_COSINE = len(FEATURES) + GRAPH_FEATURES.index("cosine")


@dataclass(frozen=True)
class Term:
    """One term of the sum.

    Attributes:
        name: of the term.
        feature: the pair feature that it is accounted to where a pair is explained.
        least, most: between which its weight may lie.
        spread: standard deviation by which its weight differs between shops, as far as is known beforehand.
        travels: whether what other shops teach of it holds in this one; else its weight is 0 until this shop teaches.
    """

    name: str
    feature: str
    least: float
    most: float
    spread: float
    travels: bool = True


_UP, _DOWN, _ANY = (0.0, np.inf), (-np.inf, 0.0), (-np.inf, np.inf)
TERMS = (
    Term("scaled", SCALED, *_UP, 0.35),
    Term("firm", SCALED, *_UP, 0.35),
    Term("hash", "hash_similarity", *_UP, 0.75),
    Term("hash_alone", "hash_similarity", *_UP, 0.75),
    Term("colours", "colours_similarity", *_UP, 2.0, travels=False),
    Term("colours_rank", "colours_rank_high", *_UP, 0.75, travels=False),
    Term("blend", "blend_similarity", *_UP, 1.0),
    Term("grams", "grams_similarity", *_UP, 1.0),
    Term("lead", "blend_lead_low", *_UP, 1.0),
    Term("same_title", "same_title", *_UP, 2.0, travels=False),
    Term("contradicting", "kinds_clashing", *_DOWN, 0.75),
    Term("agreeing", "kinds_agreeing", *_UP, 0.35),
    Term("no_image", "catalogue_size", *_ANY, 0.25),
    Term("no_title", "catalogue_size", *_ANY, 0.25),
    Term("always", "catalogue_size", *_ANY, 0.75),
)
"""The terms of the first regression, in the order of its weights."""
LATER = frozenset({"same_title"})
"""Terms that files of earlier versions do not name, and in which they have no weight."""
ALWAYS = [term.name for term in TERMS].index("always")


def terms(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """The terms of pairs, float64 [m, `TERMS`], of their pair features [m, `FEATURES`].

    What an end lacks adds nothing; that it is lacking is a term of its own. `hash_alone` is `hash` again where there is
    no embedding, which says most of what a hash does. `firm` is `scaled` again, above the usual only where the titles
    do not contradict each other: what says that two photos show two variants takes from their likeness.
    """

    def column(name: str) -> NDArray[np.float64]:
        return features[:, FEATURES.index(name)].astype(np.float64)

    scaled, titles, contradicting = column(SCALED), column("grams_similarity"), column("kinds_clashing")
    near = np.clip(scaled, 0, _MOST_SCALED) - _USUAL
    equal_bits = np.clip(_NEAR_BITS - BITS * (1 - column("hash_similarity")), 0, _NEAR_BITS) / _NEAR_BITS
    found = np.stack(
        [
            near,
            np.where(contradicting > 0, np.minimum(near, 0), near),
            equal_bits,
            np.where(np.isnan(scaled), equal_bits, 0),
            column("colours_similarity") - 0.6,
            1 / (1 + column("colours_rank_high")) - 0.1,
            column("blend_similarity") - 0.5,
            titles - 0.3,
            np.clip(column("blend_lead_low"), -0.6, 0.2) + 0.2,
            column("same_title"),
            np.minimum(contradicting, _MOST_FACTS),
            np.minimum(column("kinds_agreeing"), _MOST_FACTS),
            np.isnan(scaled),
            np.isnan(titles),
            np.ones(len(features)),
        ],
        axis=1,
    )
    return np.asarray(np.nan_to_num(found, copy=False, nan=0.0), np.float64)


class EvidenceScorer:
    """Implements `model.Scorer` over `FEATURES`: the first regression. Immutable.

    Args:
        weights: one a term of `TERMS`, within its bounds, else raises ValueError.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        self.weights = np.array(weights, np.float64)
        if self.weights.shape != (len(TERMS),) or not np.isfinite(self.weights).all():
            raise ValueError(f"expected {len(TERMS)} finite weights, got {list(weights)}")
        for term, weight in zip(TERMS, self.weights, strict=True):
            if not term.least <= weight <= term.most:
                raise ValueError(f"expected a weight of {term.name} from {term.least} to {term.most}, got {weight}")
        accounted = [FEATURES.index(term.feature) for term in TERMS]
        self._accounts = np.zeros((len(TERMS), len(FEATURES)))
        self._accounts[np.arange(len(TERMS)), accounted] = 1

    @property
    def by_term(self) -> dict[str, float]:
        """The weights by name of their terms."""
        return {term.name: weight for term, weight in zip(TERMS, self.weights.tolist(), strict=True)}

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `model.Scorer`."""
        return _logistic(terms(features) @ self.weights)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `model.Scorer`; relative to a pair whose terms are all 0."""
        return np.asarray((terms(features) * self.weights) @ self._accounts, np.float64)


class AgreementScorer:
    """Implements `model.Scorer` over `FEATURES` and `GRAPH_FEATURES`: the second regression. Immutable.

    Log odds: first · ln(p / (1 − p)) + agreement · ln(0.01 + c) + always, p being the first score and c the cosine of
    both ends' rows of such scores.

    Args:
        first, agreement: weights of 0 or more, else raises ValueError.
        always: any.
    """

    def __init__(self, first: float, agreement: float, always: float) -> None:
        if not (0 <= first < np.inf and 0 <= agreement < np.inf and np.isfinite(always)):
            raise ValueError(f"expected weights of 0 or more, got {first} and {agreement}, and {always}")
        self.weights = first, agreement, always

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `model.Scorer`."""
        return _logistic(agreement_terms(features) @ np.array(self.weights))

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `model.Scorer`."""
        found = np.zeros(features.shape)
        columns = [len(FEATURES) + GRAPH_FEATURES.index(name) for name in ("first", "cosine", "first")]
        for column, values in zip(columns, (agreement_terms(features) * self.weights).T, strict=True):
            found[:, column] += values
        return found


class TaughtScorer:
    """Implements `model.Scorer` over `FEATURES` and `GRAPH_FEATURES`: the second regression as verdicts have taught it.

    Log odds: the sum of `TERMS` by their weights + agreement · ln(0.01 + c), c being the cosine of both ends' rows of
    first scores. Immutable.

    Args:
        evidence: weights of the terms, as `EvidenceScorer` takes them.
        agreement: weight of 0 or more, else raises ValueError.
    """

    def __init__(self, evidence: Sequence[float], agreement: float) -> None:
        if not 0 <= agreement < np.inf:
            raise ValueError(f"expected a weight of 0 or more, got {agreement}")
        self.evidence, self.agreement = EvidenceScorer(evidence), agreement

    @property
    def weights(self) -> NDArray[np.float64]:
        """Those of the terms, and that of agreement behind them."""
        return np.append(self.evidence.weights, self.agreement)

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `model.Scorer`."""
        return _logistic(taught_terms(features) @ self.weights)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `model.Scorer`."""
        found = np.zeros(features.shape)
        found[:, : len(FEATURES)] = self.evidence.contributions(features[:, : len(FEATURES)])
        found[:, _COSINE] = self.agreement * _agreeing(features)
        return found


def taught_terms(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """The terms of a taught second regression, float64 [m, `TERMS` and agreement], of features as the second has."""
    return np.column_stack([terms(features[:, : len(FEATURES)]), _agreeing(features)])


def agreement_terms(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """The terms of the second regression, float64 [m, 3], of features [m, `FEATURES` and `GRAPH_FEATURES`]."""
    first = features[:, len(FEATURES) + GRAPH_FEATURES.index("first")].astype(np.float64)
    return np.stack([log_odds(np.clip(first, 0, 1)), _agreeing(features), np.ones(len(first))], axis=1)


def default_pair_model(evidence: Sequence[float], agreement: tuple[float, float, float]) -> PairModel:
    """The pair model of both regressions' weights; their probabilities stay as they are."""
    as_it_is = Calibration(PLATT, (0.0,), (0.0,), 1.0)
    return PairModel(SIGNALS, EvidenceScorer(evidence), AgreementScorer(*agreement), as_it_is)


def taught_pair_model(default: PairModel, weights: Sequence[float]) -> PairModel:
    """The default pair model with a taught second regression, of the weights that a `TaughtScorer` has."""
    second = TaughtScorer(weights[:-1], weights[-1])
    return replace(default, second=second, evidence=second.evidence)


def _agreeing(features: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.log(_LEAST_COSINE + features[:, _COSINE].astype(np.float64)), np.float64)


def _logistic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -36, 36))), np.float64)
