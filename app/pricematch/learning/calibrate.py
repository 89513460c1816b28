"""Fits the calibration of a lesson on the held-out scores of its pairs."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pricematch.learning.calibration import fit_calibration, tempered_weights
from pricematch.learning.part import NOT_TRAINED, Part
from pricematch.pairs.calibration import Calibration


def calibrate(parts: Sequence[Part], without: int | None = None) -> tuple[Calibration, Mapping[str, float]]:
    """Fit on the pairs of all parts, or on those of them that have no end in a fold.

    A wrong pair across two folds is left out with either, since it is judged with either. The wrong pairs that stay
    count for those that go, see `Part.missing`.

    Args:
        parts: catalogues that carry all they have; at least one pair of known truth is left.
        without: the fold.

    Returns:
        As `fit_calibration`.
    """
    return fit_calibration(
        np.concatenate([part.second for part in parts]),
        np.concatenate([part.truth for part in parts]),
        np.concatenate([_weights(part, without) for part in parts]),
        np.concatenate([_fold(part) for part in parts]),
    )


def _weights(part: Part, without: int | None) -> NDArray[np.float64]:
    """The weight of each pair of a part; 0 where it is left out, and where its truth is not known."""
    seen = part.known & part.outside(without)
    found = tempered_weights(part.lines, part.rows, part.second, part.fold_of != NOT_TRAINED) * seen
    return np.where(part.truth, found, found * part.missing(seen, without))


def _fold(part: Part) -> NDArray[np.intp]:
    """The fold that each pair is held out with while a method is chosen, the higher one of its ends'.

    0 for a pair without a trained end, whose weight is 0 as well.
    """
    return np.asarray(part.folds.max(axis=1, initial=0), np.intp)
