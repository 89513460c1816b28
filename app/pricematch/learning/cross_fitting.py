"""Held-out scores of pairs: each by scorers that have seen neither of its postings' label groups."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pricematch.learning.rungs import Rung
from pricematch.learning.samples import NOT_TRAINED, SamplePairs
from pricematch.pairs.model import Scorer

FOLDS = 4
_BLOCK = 128 * 1024


def cross_fit(
    parts: Sequence[SamplePairs], names: Sequence[str], rung: Rung, seed: int, done: Callable[[], None]
) -> list[NDArray[np.float64]]:
    """Held-out scores of all pairs, float64 [m] a part.

    For each fold a model is fitted on the pairs that have no end in it. A pair gets the mean of the scores by the
    models of the folds its ends are in; a pair without a trained end the mean of all. The features are the first ones,
    by their names; the seed chooses among wrong pairs; `done` is called after each fold.
    """
    totals = [np.zeros(len(part)) for part in parts]
    counts = [np.zeros(len(part)) for part in parts]
    for fold in range(FOLDS):
        scorer = rung.scorer(parts, names, seed + fold, without=fold)
        for part, total, models in zip(parts, totals, counts, strict=True):
            ends = (part.folds == fold).sum(axis=1)
            ends[(part.folds == NOT_TRAINED).all(axis=1)] = 1
            rows = np.flatnonzero(ends)
            total[rows] += ends[rows] * predict(scorer, part, len(names), rows)
            models[rows] += ends[rows]
        done()
    return [total / models for total, models in zip(totals, counts, strict=True)]


def predict(scorer: Scorer, part: SamplePairs, columns: int, pairs: NDArray[np.integer]) -> NDArray[np.float64]:
    """Scores of some pairs of a part, a block at a time."""
    found = np.empty(len(pairs))
    for start in range(0, len(pairs), _BLOCK):
        piece = slice(start, start + _BLOCK)
        found[piece] = scorer.predict(part.features[pairs[piece], :columns])
    return found
