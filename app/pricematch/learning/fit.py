"""Fit a pair model, its calibration and its thresholds on the label groups of a catalogue."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.evaluation.splits import each_its_own, split_groups
from pricematch.learning.calibration import calibrate
from pricematch.learning.held_out import HeldOut, bounded, held_out, scored_sample
from pricematch.learning.samples import NOT_TRAINED, SamplePairs, sample_pairs, samples
from pricematch.learning.thresholds import pick
from pricematch.pairs.graph_features import GRAPH_FEATURES
from pricematch.pairs.model import Learner, PairModel, Scorer
from pricematch.pairs.pair_features import pair_feature_names
from pricematch.pairs.thresholds import TARGETS, SizeThresholds
from pricematch.progress import Progress

FOLDS = 4
_NEGATIVES = 0.2
"""Share of many wrong pairs that a model is fitted on, each with weight five; with all of them models are no better."""
_ENOUGH = 200_000
"""Up to about so many wrong pairs all are used: on a catalogue of hundreds of postings models are better."""
_BLOCK = 128 * 1024


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
    """

    model: PairModel
    thresholds: SizeThresholds
    held_out: Sequence[HeldOut]
    briers: Mapping[str, float]
    postings: int
    groups: int
    pairs: int


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
    """Fit a matcher; the seed is that of everything drawn.

    Raises:
        ValueError: fewer label groups than folds, or none of their postings is another's candidate, in all or without
            one of the folds.
    """
    fold_of = data.folds(seed)
    parts = _parts(data, fold_of, seed, progress)
    _check(parts)
    names = pair_feature_names(data.signals)
    every = (*names, *GRAPH_FEATURES)
    done = count()

    def step() -> None:
        progress("Learning", next(done), 2 * FOLDS + 2)

    step()
    for part, scores in zip(parts, cross_fit(parts, names, learner, seed, step), strict=True):
        part.first_scores[:] = scores
        part.add_graph_features()
    for part, scores in zip(parts, cross_fit(parts, every, learner, seed + FOLDS, step), strict=True):
        part.second_scores[:] = scores
    first = fit_scorer(parts, names, learner, seed)
    step()
    second = fit_scorer(parts, every, learner, seed + FOLDS)
    step()
    progress("Picking thresholds", 0, 1)
    whole = [part for part in parts if part.sample.whole and part.has_held_out]
    calibration, briers = calibrate(whole)
    model = PairModel(data.signals, first, second, calibration)
    sized, groups = _by_size(whole), each_its_own(data.groups)
    catalogues = [
        [scored_sample(part, bounded(part, calibration, model.bounds), groups) for part in same]
        for same in sized.values()
    ]
    picked = [pick(same) for same in catalogues]
    calibrations = [calibrate(whole, without=fold)[0] for fold in range(FOLDS)]
    fitted = FittedMatcher(
        model,
        SizeThresholds(tuple(sized), {target: [found[target] for found in picked] for target in TARGETS}),
        [held_out(size, same, groups, calibrations, model.bounds) for size, same in sized.items()],
        briers,
        int((fold_of != NOT_TRAINED).sum()),
        len(np.unique(data.groups[fold_of != NOT_TRAINED])),
        len(parts[0]),
    )
    progress("Picking thresholds", 1, 1)
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


def cross_fit(
    parts: Sequence[SamplePairs], names: Sequence[str], learner: Learner, seed: int, done: Callable[[], None]
) -> list[NDArray[np.float64]]:
    """Held-out scores of all pairs, float64 [m] a part.

    For each fold a model is fitted on the pairs that have no end in it. A pair gets the mean of the scores by the
    models of the folds its ends are in; a pair without a trained end the mean of all. The features are the first ones,
    by their names; the seed chooses among wrong pairs; `done` is called after each fold.
    """
    totals = [np.zeros(len(part)) for part in parts]
    counts = [np.zeros(len(part)) for part in parts]
    for fold in range(FOLDS):
        scorer = fit_scorer(parts, names, learner, seed + fold, without=fold)
        for part, total, models in zip(parts, totals, counts, strict=True):
            ends = (part.folds == fold).sum(axis=1)
            ends[(part.folds == NOT_TRAINED).all(axis=1)] = 1
            rows = np.flatnonzero(ends)
            total[rows] += ends[rows] * predict(scorer, part, len(names), rows)
            models[rows] += ends[rows]
        done()
    return [total / models for total, models in zip(totals, counts, strict=True)]


def fit_scorer(
    parts: Sequence[SamplePairs], names: Sequence[str], learner: Learner, seed: int, without: int | None = None
) -> Scorer:
    """A model fitted on the pairs of all parts with both ends trained on and none in the fold `without`."""
    random = np.random.default_rng(seed)
    masks = [part.trainable & part.outside(without) for part in parts]
    wrong_pairs = sum(int((seen & ~part.truth).sum()) for part, seen in zip(parts, masks, strict=True))
    share = max(_NEGATIVES, min(1.0, _ENOUGH / max(1, wrong_pairs)))
    features, truth, weights = [], [], []
    for part, seen in zip(parts, masks, strict=True):
        chosen = np.flatnonzero(seen & (part.truth | (random.random(len(part)) < share)))
        wrong = np.float32(part.negative_weight(seen, without) / share)
        features.append(part.features[chosen, : len(names)])
        truth.append(part.truth[chosen])
        weights.append(np.where(part.truth[chosen], np.float32(1), wrong))
    return learner.fit(np.concatenate(features), np.concatenate(truth), np.concatenate(weights), names)


def predict(scorer: Scorer, part: SamplePairs, columns: int, pairs: NDArray[np.integer]) -> NDArray[np.float64]:
    """Scores of some pairs of a part, a block at a time."""
    found = np.empty(len(pairs))
    for start in range(0, len(pairs), _BLOCK):
        piece = slice(start, start + _BLOCK)
        found[piece] = scorer.predict(part.features[pairs[piece], :columns])
    return found
