"""Evaluate a matcher on label groups held out from its models, its calibration and its thresholds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.evaluation.metrics import Scores, group_sizes, scores
from pricematch.evaluation.reliability import LIKELY, brier_score, expected_calibration_error
from pricematch.learning.samples import NOT_TRAINED, SamplePairs
from pricematch.learning.thresholds import ScoredCatalogue, pick, scored_catalogue
from pricematch.pairs.thresholds import F1, Target, Thresholds

Calibrate: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
Bound: TypeAlias = Callable[[NDArray[np.float64], NDArray[np.float32]], NDArray[np.float64]]
"""Bounds calibrated scores [m] of pairs by their features [m, f], see `pricematch.pairs.bounds.Bounds`."""
Settle: TypeAlias = Callable[[Target, Thresholds, int], Thresholds]
"""What becomes of thresholds picked for a target at a catalogue's size: few groups move those known beforehand."""


def as_picked(_target: Target, picked: Thresholds, _size: int) -> Thresholds:
    """Implements `Settle`: nothing is known beforehand."""
    return picked


@dataclass(frozen=True)
class HeldOut:
    """Means over the trained postings, each evaluated while its fold was left out.

    Attributes:
        postings: how large the catalogue is, or its random parts are on average.
        f1, precision, recall: of each posting's matches, itself included, at thresholds picked on the other folds.
        brier: mean squared error of the probabilities of candidates.
        calibration_error: expected calibration error over all candidates,
        calibration_error_likely: and over those of a probability of 0.05 and more.
        candidate_recall: the share of all true pairs that is among the candidates.
    """

    postings: int
    f1: float
    precision: float
    recall: float
    brier: float
    calibration_error: float
    calibration_error_likely: float
    candidate_recall: float


def bounded(part: SamplePairs, calibration: Calibrate, bounds: Bound) -> NDArray[np.float64]:
    """Probabilities of the pairs of a part, float64 [m]: what a pair model makes of their held-out scores."""
    return bounds(calibration(part.second_scores), part.features)


def held_out(
    postings: int,
    parts: Sequence[SamplePairs],
    groups: NDArray[np.intp],
    calibrations: Sequence[Calibrate],
    bounds: Bound,
    settle: Settle = as_picked,
) -> HeldOut:
    """Evaluate on the pairs of samples of about one size, all with `has_held_out`.

    `groups` [n] number the label groups of the whole catalogue from 0, each its own if unknown; the calibrations are
    those that were fitted without each fold; `bounds` are the pair model's, and thresholds that are picked are settled.
    """
    scored, weights, truth, probabilities = [], [], [], []
    for fold, calibration in enumerate(calibrations):
        mapped = [bounded(part, calibration, bounds) for part in parts]
        others = [scored_sample(part, p, groups, without=fold) for part, p in zip(parts, mapped, strict=True)]
        thresholds = settle(F1, pick(others, [F1])[F1], postings)
        for part, p, catalogue in zip(parts, mapped, others, strict=True):
            lists = thresholds.lists(catalogue.candidates)
            scored.append(scores(lists, catalogue.groups).of(part.fold_of == fold))
            weights.append((part.folds == fold).sum(axis=1) * part.known)
            truth.append(part.truth)
            probabilities.append(p)
    every = Scores(*(np.concatenate([getattr(it, name) for it in scored]) for name in ("f1", "precision", "recall")))
    p, right, weight = np.concatenate(probabilities), np.concatenate(truth), np.concatenate(weights)
    likely = p >= LIKELY
    found, true_pairs = sum(float(part.weights[part.truth].sum()) for part in parts), 0
    for part in parts:
        sizes = group_sizes(np.unique(groups[part.sample.rows], return_inverse=True)[1])
        true_pairs += int((sizes - 1)[part.fold_of != NOT_TRAINED].sum())
    return HeldOut(
        postings,
        every.mean_f1,
        every.mean_precision,
        every.mean_recall,
        brier_score(p, right, weight),
        expected_calibration_error(p, right, weight),
        expected_calibration_error(p[likely], right[likely], weight[likely]),
        found / true_pairs if true_pairs else 1.0,
    )


def held_out_f1(
    part: SamplePairs,
    groups: NDArray[np.intp],
    calibrations: Sequence[Calibrate],
    bounds: Bound,
    settle: Settle = as_picked,
) -> NDArray[np.float64]:
    """F1 of each trained posting of one sample, float64 [t], in the order of its rows; the arguments as `held_out`."""
    found = np.empty(len(part.fold_of))
    for fold, calibration in enumerate(calibrations):
        others = scored_sample(part, bounded(part, calibration, bounds), groups, without=fold)
        thresholds = settle(F1, pick([others], [F1])[F1], len(part.fold_of))
        own = part.fold_of == fold
        found[own] = scores(thresholds.lists(others.candidates), others.groups).of(own).f1
    return np.asarray(found[part.fold_of != NOT_TRAINED], np.float64)


def scored_sample(
    part: SamplePairs, probabilities: NDArray[np.float64], groups: NDArray[np.intp], without: int | None = None
) -> ScoredCatalogue:
    """A sample as a catalogue whose queries are the trained postings, without those of one fold if given."""
    folds = part.fold_of
    return scored_catalogue(
        np.concatenate([part.left, part.right]),
        np.concatenate([part.right, part.left]),
        np.concatenate([probabilities, probabilities]),
        np.unique(groups[part.sample.rows], return_inverse=True)[1].astype(np.intp),
        (folds != NOT_TRAINED) & (folds != (NOT_TRAINED if without is None else without)),
    )
