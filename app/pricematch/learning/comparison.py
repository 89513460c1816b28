"""Is what was learned better than each single signal, and than the default? Compared on label groups held out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.evaluation.curves import Curves, pick_thresholds
from pricematch.evaluation.metrics import scores
from pricematch.evaluation.signal_evaluation import find_candidates
from pricematch.evaluation.signals import pairs_of
from pricematch.evaluation.splits import each_its_own
from pricematch.learning.held_out import scored_sample
from pricematch.learning.rungs import Prior
from pricematch.learning.samples import NOT_TRAINED, SamplePairs
from pricematch.learning.thresholds import SURE
from pricematch.pairs.offset_model import narrowed
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.pairs.thresholds import F1
from pricematch.progress import silent

DEFAULT = "default"
_NAMES = {DEFAULT: "the default matcher"}
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Comparison:
    """Mean F1 of the trained postings, each evaluated while its fold was left out.

    Attributes:
        learned: of the matcher that was learned.
        others: of the default matcher at its own thresholds, and of each signal at thresholds picked on other folds.
        gains: by name of the others, what the matcher gains over each, and the standard error over label groups.
        groups: label groups that were compared on.
    """

    learned: float
    others: Mapping[str, float]
    gains: Mapping[str, tuple[float, float]]
    groups: int

    @property
    def better(self) -> bool:
        """Whether it surely gains over the default, and loses less than a standard error to each signal.

        Sure is what is more than 1.645 standard errors: 95 % on one side of a normal distribution.
        """
        return all(
            gain > SURE * error + _ROUNDING if name == DEFAULT else gain >= -error - _ROUNDING
            for name, (gain, error) in self.gains.items()
        )

    def figures(self) -> dict[str, Any]:
        """The same as JSON has it; the error over a single group is null."""
        gains = {
            name: {"f1": self.others[name], "gain": gain, "error": error if np.isfinite(error) else None}
            for name, (gain, error) in self.gains.items()
        }
        return {"f1": self.learned, "others": gains, "groups": self.groups, "better": self.better}

    def __str__(self) -> str:
        figures = (
            f"{value:.3f} by {_NAMES.get(name, f'the signal {name} alone')} ({gain:+.3f} ± {error:.3f})"
            for (name, value), (gain, error) in zip(self.others.items(), self.gains.values(), strict=True)
        )
        return f"mean F1 on {self.groups} held-out label groups {self.learned:.3f}, beside {', '.join(figures)}"


def compared(
    learned: NDArray[np.float64], others: Mapping[str, NDArray[np.float64]], groups: NDArray[np.intp]
) -> Comparison:
    """Compare F1 of t postings, all float64 [t], of label groups by number [t]; the default is among the others."""
    return Comparison(
        float(learned.mean()),
        {name: float(found.mean()) for name, found in others.items()},
        {name: mean_gain(learned, found, groups) for name, found in others.items()},
        len(np.unique(groups)),
    )


def mean_gain(one: NDArray[np.float64], other: NDArray[np.float64], groups: NDArray[np.intp]) -> tuple[float, float]:
    """By how much the first of two is higher on average over postings, and its standard error over label groups.

    The error of one group is inf. A single group that gains, among others that do not, gains one standard error.

    >>> mean_gain(np.array([1.0, 1.0, 0.5]), np.array([0.5, 0.5, 0.5]), np.array([0, 0, 1]))
    (0.3333333333333333, 0.22222222222222224)
    """
    gains = one - other
    mean = float(gains.mean())
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], gains - mean)
    if len(sums) < 2:
        return mean, np.inf
    return mean, float(np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1))) / len(gains)


def default_f1(
    part: SamplePairs, prior: Prior, signals: tuple[str, ...], groups: NDArray[np.intp]
) -> NDArray[np.float64]:
    """F1 of each trained posting of a sample by the default matcher, [t]; fills in the part's scores by it."""
    model = narrowed(prior.model, signals, part.fields)
    part.first_scores[:] = model.first.predict(part.features[:, : part.pair_features])
    part.add_graph_features()
    part.second_scores[:] = model.predict_proba(part.features)
    found, trained = scored_sample(part, part.second_scores, groups), part.fold_of != NOT_TRAINED
    thresholds = prior.thresholds.at(F1, len(trained))
    return scores(thresholds.lists(found.candidates), found.groups).of(trained).f1


def signal_f1(
    postings: Features, signals: tuple[str, ...], groups: NDArray[np.intp], fold_of: NDArray[np.int8]
) -> dict[str, NDArray[np.float64]]:
    """F1 of each trained posting by each signal alone, [t], at the threshold picked on the other folds.

    Args:
        postings: of the whole catalogue, n of them.
        signals: names.
        groups: [n], negative where there is none.
        fold_of: [n], `NOT_TRAINED` for others.
    """
    numbers, trained = each_its_own(groups), fold_of != NOT_TRAINED
    candidates = find_candidates(ParsedFeatures.of(postings), signals, silent)
    curves = Curves(pairs_of(candidates, len(numbers)), numbers)
    found = {}
    for signal in signals:
        f1 = np.empty(len(numbers))
        for fold in np.unique(fold_of[trained]):
            own = fold_of == fold
            thresholds = pick_thresholds(curves, [signal], trained & ~own)
            f1[own] = scores(curves.pairs.lists(thresholds), numbers).of(own).f1
        found[signal] = f1[trained]
    return found
