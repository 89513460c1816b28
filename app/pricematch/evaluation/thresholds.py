"""The thresholds of several signals that give the highest mean F1 together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pricematch.evaluation.curves import ROUNDING, Curves
from pricematch.evaluation.signals import between

_ROUNDS = 20


def pick_thresholds(curves: Curves, signals: Sequence[str], asked: NDArray[np.bool_]) -> dict[str, float]:
    """Thresholds by coordinate ascent: one signal's after another's, given the others', until none gains any more.

    Each step is exact (see `curves`), and the first signal begins alone; that finds the best threshold of one signal,
    and of several a combination that no change of one threshold improves.

    Args:
        curves: of a catalogue of n postings.
        signals: which of its signals, at least one.
        asked: bool [n], the postings whose mean F1 counts, at least one.

    Returns:
        A similarity per signal; inf where the signal only does harm.
    """
    thresholds = dict.fromkeys(signals, np.inf)
    reached = -np.inf
    for _ in range(_ROUNDS):
        before = reached
        for signal in signals:
            others = {other: threshold for other, threshold in thresholds.items() if other != signal}
            curve = curves.of(signal, asked, others)
            place = curve.best()
            if curve.f1[place] > reached + ROUNDING:
                reached = float(curve.f1[place])
                thresholds[signal] = between(signal, *curve.around(place))
        if reached == before:
            break
    return thresholds
