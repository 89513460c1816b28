"""Scores of pairs by models that have not seen the label group of the posting that asks."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pricematch.learning.part import NOT_TRAINED, Part
from pricematch.pairs.model import Learner, Scorer

FOLDS = 4
NEGATIVES = 0.2
"""Share of many wrong pairs that is learned from, each counting five times; with all of them models are no better."""
ENOUGH = 200_000
"""Of so few wrong pairs, about, all are learned from: on a catalogue of hundreds of postings models are better."""
_BLOCK = 128 * 1024


def cross_fit(
    parts: Sequence[Part],
    columns: int,
    names: Sequence[str],
    learner: Learner,
    seed: int,
    told: Callable[[], None],
) -> list[NDArray[np.float64]]:
    """Held-out scores of all pairs, float64 [m] a part.

    For each fold a model is learned from the pairs that have no end in it. A pair gets the mean of the scores by the
    models of the folds its ends are in; one with no end that is trained on the mean of all.

    Args:
        parts: what to learn from.
        columns: how many of the features to use, from the first.
        names: of those.
        learner: makes the models.
        seed: of the choice among wrong pairs.
        told: called after each fold.
    """
    totals = [np.zeros(len(part)) for part in parts]
    counts = [np.zeros(len(part)) for part in parts]
    for fold in range(FOLDS):
        scorer = fit(parts, columns, names, learner, seed + fold, without=fold)
        for part, total, count in zip(parts, totals, counts, strict=True):
            ends = (part.folds == fold).sum(axis=1)
            ends[(part.folds == NOT_TRAINED).all(axis=1)] = 1
            asked = np.flatnonzero(ends)
            total[asked] += ends[asked] * predict(scorer, part, columns, asked)
            count[asked] += ends[asked]
        told()
    return [total / count for total, count in zip(totals, counts, strict=True)]


def fit(
    parts: Sequence[Part], columns: int, names: Sequence[str], learner: Learner, seed: int, without: int | None = None
) -> Scorer:
    """A model learned from the pairs of all parts with both ends trained on and none in the fold `without`."""
    random = np.random.default_rng(seed)
    sees = [part.learned & part.outside(without) for part in parts]
    count = sum(int((seen & ~part.truth).sum()) for part, seen in zip(parts, sees, strict=True))
    share = max(NEGATIVES, min(1.0, ENOUGH / max(1, count)))
    features, truth, weights = [], [], []
    for part, seen in zip(parts, sees, strict=True):
        chosen = np.flatnonzero(seen & (part.truth | (random.random(len(part)) < share)))
        wrong = np.float32(part.missing(seen, without) / share)
        features.append(part.features[chosen, :columns])
        truth.append(part.truth[chosen])
        weights.append(np.where(part.truth[chosen], np.float32(1), wrong))
    return learner.fit(np.concatenate(features), np.concatenate(truth), np.concatenate(weights), names)


def predict(scorer: Scorer, part: Part, columns: int, pairs: NDArray[np.integer]) -> NDArray[np.float64]:
    """Scores of some pairs of a part, a block at a time."""
    found = np.empty(len(pairs))
    for start in range(0, len(pairs), _BLOCK):
        piece = slice(start, start + _BLOCK)
        found[piece] = scorer.predict(part.features[pairs[piece], :columns])
    return found
