"""How good a matcher is on label groups that neither its models nor its calibration nor its thresholds have seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.evaluation.metrics import Scores, group_sizes, scores
from pricematch.evaluation.reliability import brier_score, expected_calibration_error
from pricematch.learning.part import NOT_TRAINED, Part
from pricematch.learning.thresholds import JudgedCatalogue, judged_catalogue, pick
from pricematch.pairs.thresholds import F1, Thresholds

LIKELY = 0.05
"""Pairs at least as probable are counted apart, since most candidates are plainly different and easy to be right on."""

Calibrate: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class HeldOut:
    """Means over the postings that are trained on, each judged while its fold was left out.

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


def held_out(
    postings: int, parts: Sequence[Part], groups: NDArray[np.intp], calibrations: Sequence[Calibrate]
) -> HeldOut:
    """Judge catalogues of about one size.

    Args:
        postings: that size.
        parts: the catalogues, all of which can judge.
        groups: [n], the number of each posting's label group in the whole catalogue, from 0; each its own if unknown.
        calibrations: for each fold, the one that was fitted without it.
    """
    scored, weights, truth, probabilities = [], [], [], []
    for fold, calibration in enumerate(calibrations):
        found = [calibration(part.second) for part in parts]
        others = [asked(part, p, groups, without=fold) for part, p in zip(parts, found, strict=True)]
        thresholds = pick(others, [F1])[F1]
        for part, p, catalogue in zip(parts, found, others, strict=True):
            scored.append(_scores(catalogue, thresholds, part.fold_of == fold))
            weights.append((part.folds == fold).sum(axis=1) * part.known)
            truth.append(part.truth)
            probabilities.append(p)
    every = Scores(*(np.concatenate([getattr(it, name) for it in scored]) for name in ("f1", "precision", "recall")))
    p, right, weight = np.concatenate(probabilities), np.concatenate(truth), np.concatenate(weights)
    likely = p >= LIKELY
    return HeldOut(
        postings,
        every.mean_f1,
        every.mean_precision,
        every.mean_recall,
        brier_score(p, right, weight),
        expected_calibration_error(p, right, weight),
        expected_calibration_error(p[likely], right[likely], weight[likely]),
        _candidate_recall(parts, groups),
    )


def asked(
    part: Part, probabilities: NDArray[np.float64], groups: NDArray[np.intp], without: int | None = None
) -> JudgedCatalogue:
    """A sample as a catalogue whose trained postings are judged, those of one fold left out if named."""
    folds = part.fold_of
    return judged_catalogue(
        np.concatenate([part.lines, part.rows]),
        np.concatenate([part.rows, part.lines]),
        np.concatenate([probabilities, probabilities]),
        np.unique(groups[part.sample.rows], return_inverse=True)[1].astype(np.intp),
        (folds != NOT_TRAINED) & (folds != (NOT_TRAINED if without is None else without)),
    )


def _scores(catalogue: JudgedCatalogue, thresholds: Thresholds, postings: NDArray[np.bool_]) -> Scores:
    """The scores of some postings of a catalogue."""
    lists = thresholds.lists(catalogue.candidates)
    return scores(lists.starts, lists.rows, catalogue.groups).of(postings)


def _candidate_recall(parts: Sequence[Part], groups: NDArray[np.intp]) -> float:
    found = sum(float(part.weights[part.truth].sum()) for part in parts)
    trained = [part.fold_of != NOT_TRAINED for part in parts]
    sizes = [group_sizes(np.unique(groups[part.sample.rows], return_inverse=True)[1]) for part in parts]
    true_pairs = sum(int((size - 1)[judged].sum()) for size, judged in zip(sizes, trained, strict=True))
    return found / true_pairs if true_pairs else 1.0
