"""Cross-fitting: scores of pairs by models that have not seen the label groups of their ends."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pricematch.learning.samples import NOT_TRAINED, SamplePairs
from pricematch.pairs.model import Learner, Scorer

FOLDS = 4
NEGATIVES = 0.2
"""Share of many wrong pairs that a model is fitted on, each with weight five; with all of them models are no better."""
ENOUGH = 200_000
"""Up to about so many wrong pairs all are used: on a catalogue of hundreds of postings models are better."""
_BLOCK = 128 * 1024


def cross_fit(
    parts: Sequence[SamplePairs],
    columns: int,
    names: Sequence[str],
    learner: Learner,
    seed: int,
    done: Callable[[], None],
) -> list[NDArray[np.float64]]:
    """Held-out scores of all pairs, float64 [m] a part.

    For each fold a model is fitted on the pairs that have no end in it. A pair gets the mean of the scores by the
    models of the folds its ends are in; a pair without a trained end the mean of all.

    Args:
        parts: the pairs of each sample.
        columns: how many of the features to use, from the first.
        names: of those.
        learner: makes the models.
        seed: of the choice among wrong pairs.
        done: called after each fold.
    """
    totals = [np.zeros(len(part)) for part in parts]
    counts = [np.zeros(len(part)) for part in parts]
    for fold in range(FOLDS):
        scorer = fit_scorer(parts, columns, names, learner, seed + fold, without=fold)
        for part, total, count in zip(parts, totals, counts, strict=True):
            ends = (part.folds == fold).sum(axis=1)
            ends[(part.folds == NOT_TRAINED).all(axis=1)] = 1
            rows = np.flatnonzero(ends)
            total[rows] += ends[rows] * predict(scorer, part, columns, rows)
            count[rows] += ends[rows]
        done()
    return [total / count for total, count in zip(totals, counts, strict=True)]


def fit_scorer(
    parts: Sequence[SamplePairs],
    columns: int,
    names: Sequence[str],
    learner: Learner,
    seed: int,
    without: int | None = None,
) -> Scorer:
    """A model fitted on the pairs of all parts with both ends trained on and none in the fold `without`."""
    random = np.random.default_rng(seed)
    masks = [part.trainable & part.outside(without) for part in parts]
    count = sum(int((seen & ~part.truth).sum()) for part, seen in zip(parts, masks, strict=True))
    share = max(NEGATIVES, min(1.0, ENOUGH / max(1, count)))
    features, truth, weights = [], [], []
    for part, seen in zip(parts, masks, strict=True):
        chosen = np.flatnonzero(seen & (part.truth | (random.random(len(part)) < share)))
        wrong = np.float32(part.negative_weight(seen, without) / share)
        features.append(part.features[chosen, :columns])
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
