"""Where a trained matcher is at home: how far a catalogue's pairs are from those that it learned on.

The distance is that of the means of the default model's terms over candidate pairs, in standard deviations of the pairs
at home, averaged over the terms. Log odds of a catalogue from far away are shrunk towards those of the default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pricematch.pairs.calibration import Calibration, log_odds
from pricematch.pairs.default_model import LATER, TERMS, terms
from pricematch.pairs.feature_names import pair_feature_names
from pricematch.pairs.model import PairModel, Scorer
from pricematch.pairs.offset_model import MovedScorer, narrowed, regressions
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.thresholds import SizeThresholds

NEAR, WIDTH = 0.08, 0.05
"""Distance up to which a large catalogue is at home, and by how much farther one is not at all. The other half of a
shop is at 0.01 to 0.10, of three shops in one at up to 0.18; another shop, where what was learned is of no use, at 0.15
to 0.38 by titles and 0.2 to 1.4 by images."""
_LEAST_SPREAD = 1e-6
_STILL: Mapping[str, float] = MappingProxyType({"mean": 0.0, "spread": 0.0})
_FARTHEST = 36.0
_ENOUGH = 20_000
"""Candidate pairs that the means are taken of, at most."""


@dataclass(frozen=True, eq=False)
class Home:
    """The candidate pairs that a matcher learned on.

    Attributes:
        means, spreads: float64 [`TERMS`], mean and standard deviation of each term.
        pairs: how many there were.

    Raises:
        ValueError: they are not as many, or no numbers.
    """

    means: NDArray[np.float64]
    spreads: NDArray[np.float64]
    pairs: int

    def __post_init__(self) -> None:
        for values in (self.means, self.spreads):
            if values.shape != (len(TERMS),) or not np.isfinite(values).all():
                raise ValueError(f"expected {len(TERMS)} finite numbers, got {values.tolist()}")

    @classmethod
    def of(cls, extractor: PairFeatureExtractor, default: PairModel) -> "Home":
        """That of a catalogue that has a candidate pair at least, its postings being the nodes that are compared."""
        found = _terms(extractor, default)
        return cls(found.mean(axis=0), found.std(axis=0), len(extractor.candidates[0]))

    def distance(self, extractor: PairFeatureExtractor, default: PairModel) -> float:
        """How far another catalogue is away, 0 or more; 0 where it has no candidate pairs.

        Terms that do not vary at home do not count.
        """
        found, varied = _terms(extractor, default), self.spreads > _LEAST_SPREAD
        if not len(found) or not varied.any():
            return 0.0
        apart = np.abs(found.mean(axis=0) - self.means)
        return float((apart[varied] / self.spreads[varied]).mean())

    def describe(self) -> dict[str, dict[str, float]]:
        """By name of a term its mean and spread, as JSON holds them; the inverse of `from_description`."""
        return {
            term.name: {"mean": mean, "spread": spread}
            for term, mean, spread in zip(TERMS, self.means.tolist(), self.spreads.tolist(), strict=True)
        }

    @classmethod
    def from_description(cls, description: Mapping[str, Mapping[str, float]], pairs: int) -> "Home":
        """What `describe` described; raises ValueError for anything else."""
        known = dict.fromkeys(LATER, _STILL) | dict(description)
        try:
            entries = [known[term.name] for term in TERMS]
            means, spreads = (np.array([entry[name] for entry in entries], np.float64) for name in ("mean", "spread"))
        except (KeyError, TypeError) as error:
            raise ValueError(f"expected mean and spread of {', '.join(term.name for term in TERMS)}") from error
        return cls(means, spreads, pairs)


class MixedScorer:
    """Implements `model.Scorer`: a share of the way, in log odds, from one calibrated scorer to another.

    Args:
        one, other: scorers of the same features.
        calibration: of the first one's scores.
        share: 0 to 1.
    """

    def __init__(self, one: Scorer, other: Scorer, calibration: Calibration, share: float) -> None:
        self.one, self.other, self.calibration, self.share = one, other, calibration, share

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `model.Scorer`."""
        own, others = log_odds(self.calibration(self.one.predict(features))), log_odds(self.other.predict(features))
        values = (1 - self.share) * own + self.share * others
        return np.asarray(1 / (1 + np.exp(-np.clip(values, -_FARTHEST, _FARTHEST))), np.float64)

    def contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """See `model.Scorer`."""
        own, others = self.one.contributions(features), self.other.contributions(features)
        return (1 - self.share) * own + self.share * others


@dataclass(frozen=True, eq=False)
class Shrunk:
    """How a matcher decides in a catalogue.

    Attributes:
        model, thresholds: those of a trained matcher, shrunk towards the default's where it is not at home.
        distance: of the catalogue from those pairs that it learned on; None where they are not known.
        away: the share by which it is shrunk, 0 at home and 1 far away.
    """

    model: PairModel
    thresholds: SizeThresholds
    distance: float | None = None
    away: float = 0.0

    def sentence(self, label: str) -> str:
        """Whether a matcher of some name is at home, how far away, and what follows; empty where that is not known."""
        if self.distance is None:
            return ""
        if not self.away:
            return f"{label} is at home in this catalogue (distance {self.distance:.2f})"
        sentence = (
            f"{label} is not at home in this catalogue (distance {self.distance:.2f}): its log odds are shrunk by "
            f"{100 * self.away:.0f} % towards those of the default matcher"
        )
        if self.away < 1 or "image" not in self.model.signals:
            return sentence
        return f"{sentence}, which alone (matcher default) takes an encoder of this catalogue's own"


@dataclass(frozen=True, eq=False)
class Homing:
    """Shrinks a trained matcher towards the default one where it is not at home.

    Attributes:
        home: where it is.
        default: the default pair model.
        thresholds: and its thresholds.
    """

    home: Home
    default: PairModel
    thresholds: SizeThresholds

    def away(self, extractor: PairFeatureExtractor) -> tuple[float, float]:
        """The distance of a catalogue, and the share by which it is away, 0 at home and 1 far away."""
        distance = self.home.distance(extractor, self.default)
        return distance, share_away(distance, len(extractor))

    def shrunk(self, extractor: PairFeatureExtractor, model: PairModel, thresholds: SizeThresholds) -> Shrunk:
        """How the trained matcher of a pair model and thresholds decides in a catalogue."""
        distance, away = self.away(extractor)
        if not away:
            return Shrunk(model, thresholds, distance)
        return Shrunk(self.model(model, away), self.settled(thresholds, away), distance, away)

    def model(self, trained: PairModel, share: float) -> PairModel:
        """The pair model of a catalogue that is away by a share."""
        still = narrowed(self.default, trained.signals, trained.fields)
        as_it_is = self.default.calibration
        first = MixedScorer(trained.first, still.first, as_it_is, share)
        return PairModel(
            trained.signals,
            first,
            MixedScorer(trained.second, still.second, trained.calibration, share),
            as_it_is,
            fields=trained.fields,
        )

    def settled(self, trained: SizeThresholds, share: float) -> SizeThresholds:
        """The thresholds of a catalogue that is away by a share."""
        known = [target for target in trained.thresholds if target in self.thresholds.thresholds]
        return SizeThresholds(
            trained.sizes,
            {
                target: [trained.at(target, n).moved(self.thresholds.at(target, n), share) for n in trained.sizes]
                for target in known
            },
        )


def share_away(distance: float, postings: int) -> float:
    """By which share a catalogue of so many postings is away from home: 0 up to `NEAR` + 1 / √n, 1 from `WIDTH` on.

    Of few postings means are a matter of luck.

    >>> share_away(0.15, 100), round(share_away(0.15, 1600), 3), share_away(0.15, 10_000)
    (0.0, 0.9, 1.0)
    """
    return float(np.clip((distance - NEAR - 1 / np.sqrt(max(1, postings))) / WIDTH, 0, 1))


def _terms(extractor: PairFeatureExtractor, default: PairModel) -> NDArray[np.float64]:
    """The default's terms of a catalogue's candidate pairs, evenly chosen where there are very many."""
    left, right = extractor.candidates
    some = np.unique(np.linspace(0, max(0, len(left) - 1), min(len(left), _ENOUGH)).astype(np.intp))
    features = extractor.features(extractor.own, left[some], right[some])
    names = pair_feature_names(extractor.signals)
    return terms(MovedScorer(regressions(default)[0], names).widened(features[:, : len(names)]))
