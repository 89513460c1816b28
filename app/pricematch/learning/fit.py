"""Fit a pair model, its calibration and its thresholds on the label groups of a catalogue."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.evaluation.splits import each_its_own, split_groups
from pricematch.learning.calibration import calibrate
from pricematch.learning.comparison import Comparison
from pricematch.learning.cross_fitting import FOLDS, cross_fit
from pricematch.learning.held_out import HeldOut, Settle, as_picked, bounded, held_out, held_out_f1, scored_sample
from pricematch.learning.rungs import Anew, Rung
from pricematch.learning.samples import NOT_TRAINED, SamplePairs, sample_pairs, samples
from pricematch.learning.thresholds import pick
from pricematch.pairs.feature_names import pair_feature_names
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.home import Home
from pricematch.pairs.model import Learner, PairModel
from pricematch.pairs.thresholds import TARGETS, SizeThresholds, Target, Thresholds
from pricematch.progress import Progress

STEPS = 2 * FOLDS + 4
"""Times that `fit_rung` says how far it is, the beginning and the end among them."""


@dataclass(frozen=True, eq=False)
class FittedMatcher:
    """A fitted matcher and its held-out figures.

    Attributes:
        model: gives the probability of a pair.
        thresholds: of the probability, by catalogue size and target.
        held_out: figures on held-out label groups, by catalogue size.
        briers: of each way to calibrate, the Brier score on pairs it was not fitted on.
        postings, groups: how many are trained on.
        pairs: candidate pairs of the whole catalogue.
        f1: float64 [postings], F1 of each of them, evaluated while its fold was left out, in the whole catalogue.
        comparison: with each signal and the default; None where it began at none,
        home: as is the pairs that it learned on.
    """

    model: PairModel
    thresholds: SizeThresholds
    held_out: Sequence[HeldOut]
    briers: Mapping[str, float]
    postings: int
    groups: int
    pairs: int
    f1: NDArray[np.float64]
    comparison: Comparison | None = None
    home: Home | None = None


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Features of n postings and their label groups.

    Attributes:
        postings: their features.
        signals: names of the signals to use.
        groups: intp [n], the number of each posting's label group, negative where it is not known.
        trained: bool [n], the postings of the groups to train on.
    """

    postings: Features
    signals: tuple[str, ...]
    groups: NDArray[np.intp]
    trained: NDArray[np.bool_]

    def folds(self, seed: int) -> NDArray[np.int8]:
        """The fold of each posting that is trained on; raises ValueError where there are fewer groups than folds."""
        known = self.trained & (self.groups >= 0)
        numbers = np.unique(self.groups[known], return_inverse=True)[1]
        found = np.full(len(self.groups), NOT_TRAINED, np.int8)
        found[known] = split_groups(numbers, FOLDS, seed)
        return found


def fit_matcher(data: TrainingData, learner: Learner, seed: int, progress: Progress) -> FittedMatcher:
    """Fit a matcher where nothing is known beforehand; the seed is that of everything drawn.

    Raises:
        ValueError: fewer label groups than folds, or none of their postings is another's candidate, in all or without
            one of the folds.
    """
    parts = training_parts(data, seed, progress)
    done = count()
    return fit_rung(Anew(learner), parts, data, seed, lambda: progress("Learning", next(done), STEPS - 1))


def training_parts(data: TrainingData, seed: int, progress: Progress) -> list[SamplePairs]:
    """The candidate pairs of every sample, the whole catalogue first; raises ValueError as `fit_matcher`."""
    parts = _parts(data, data.folds(seed), seed, progress)
    _check(parts)
    return parts


def fit_rung(
    rung: Rung,
    parts: Sequence[SamplePairs],
    data: TrainingData,
    seed: int,
    done: Callable[[], None],
    settle: Settle = as_picked,
    trust: float = 1.0,
) -> FittedMatcher:
    """Fit a matcher of one kind; the parts' scores and graph features become those of it.

    Args:
        rung: how its scorers are learned.
        parts: see `training_parts`.
        data: what they are made of.
        seed: of everything drawn.
        done: called `STEPS` times.
        settle: what becomes of thresholds that are picked.
        trust: in the calibration that held-out pairs show, 0 to 1; with 0 scores stay as they are.
    """
    names = pair_feature_names(data.signals, fields=data.postings.evidence_fields)
    every = (*names, *GRAPH_FEATURES)
    done()
    for part, scores in zip(parts, cross_fit(parts, names, rung, seed, done), strict=True):
        part.first_scores[:] = scores
        part.add_graph_features()
    for part, scores in zip(parts, cross_fit(parts, every, rung, seed + FOLDS, done), strict=True):
        part.second_scores[:] = scores
    first = rung.scorer(parts, names, seed)
    done()
    second = rung.scorer(parts, every, seed + FOLDS)
    done()
    whole = [part for part in parts if part.sample.whole and part.has_held_out]
    calibration, briers = calibrate(whole)
    calibration = calibration.shrunk(trust)
    model = PairModel(data.signals, first, second, calibration, fields=data.postings.evidence_fields)
    sized, groups = _by_size(whole), each_its_own(data.groups)
    thresholds: dict[Target, list[Thresholds]] = {target: [] for target in TARGETS}
    for size, same in sized.items():
        picked = pick([scored_sample(part, bounded(part, calibration, model.bounds), groups) for part in same])
        for target, found in thresholds.items():
            found.append(settle(target, picked[target], size))
    calibrations = [calibrate(whole, without=fold)[0].shrunk(trust) for fold in range(FOLDS)]
    trained = parts[0].fold_of != NOT_TRAINED
    fitted = FittedMatcher(
        model,
        SizeThresholds(tuple(sized), thresholds),
        [held_out(size, same, groups, calibrations, model.bounds, settle) for size, same in sized.items()],
        briers,
        int(trained.sum()),
        len(np.unique(data.groups[trained])),
        len(parts[0]),
        held_out_f1(parts[0], groups, calibrations, model.bounds, settle),
    )
    done()
    return fitted


def _parts(data: TrainingData, fold_of: NDArray[np.int8], seed: int, progress: Progress) -> list[SamplePairs]:
    """The candidate pairs of every sample."""
    chosen = list(samples(data.postings, data.groups, data.signals, seed))
    total, parts, done = sum(len(sample.rows) for sample in chosen), list[SamplePairs](), 0
    for sample in chosen:
        progress("Comparing postings", done, total)
        parts.append(sample_pairs(sample, data.signals, data.groups, fold_of))
        done += len(sample.rows)
    progress("Comparing postings", total, total)
    return parts


def _check(parts: Sequence[SamplePairs]) -> None:
    """Raise ValueError where no pair can be trained on, or none without one of the folds."""
    if not any((part.truth & (part.weights > 0)).any() for part in parts):
        raise ValueError("expected postings of one label group among each other's candidates, got none")
    whole = [part for part in parts if part.sample.whole and part.has_held_out]
    for fold in range(FOLDS):
        if not any((part.trainable & part.outside(fold)).any() for part in whole):
            raise ValueError(
                f"expected candidates in any {FOLDS - 1} of {FOLDS} parts of the label groups, got none in some: "
                "more label groups are needed"
            )


def _by_size(parts: Sequence[SamplePairs]) -> dict[int, list[SamplePairs]]:
    """Samples of about one size, by their mean size, ascending."""
    sized: dict[int, list[SamplePairs]] = {}
    for part in sorted(parts, key=lambda part: len(part.sample.rows)):
        last = next(reversed(sized.values()), None)
        if last is not None and len(part.sample.rows) < 1.3 * len(last[0].sample.rows):
            last.append(part)
        else:
            sized[len(part.sample.rows)] = [part]
    return {round(np.mean([len(part.sample.rows) for part in same])): same for same in sized.values()}
