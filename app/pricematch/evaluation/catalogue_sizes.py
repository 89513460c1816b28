"""How F1 falls as a catalogue grows: more postings, more that look alike and are not."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pricematch.evaluation.curves import Curves
from pricematch.evaluation.held_out import scores_at
from pricematch.evaluation.pairs import pairs_of
from pricematch.evaluation.signals import signal_candidates
from pricematch.evaluation.splits import whole_groups
from pricematch.evaluation.thresholds import pick_thresholds
from pricematch.pairs.retrievers import ParsedFeatures
from pricematch.progress import Progress

_LARGE = 2_000


@dataclass(frozen=True)
class SizePoint:
    """F1 on a random sub-catalogue of whole groups.

    Attributes:
        postings, groups: how large it is.
        thresholds: the best ones there, a similarity per signal.
        f1: at those; picked and judged on the same postings.
        f1_at_thresholds: at the thresholds of the whole catalogue.
    """

    postings: int
    groups: int
    thresholds: Mapping[str, float]
    f1: float
    f1_at_thresholds: float


def sizes_below(postings: int) -> list[int]:
    """1,000 postings, or 100 of a small catalogue, and twice as many each time, up to three quarters of it.

    >>> sizes_below(16_874), sizes_below(717)
    ([1000, 2000, 4000, 8000], [100, 200, 400])
    """
    found, size = [], 1_000 if postings > _LARGE else 100
    while 4 * size <= 3 * postings:
        found.append(size)
        size *= 2
    return found


def by_catalogue_size(
    features: ParsedFeatures, curves: Curves, thresholds: Mapping[str, float], seed: int, progress: Progress
) -> list[SizePoint]:
    """F1 of signals together on random sub-catalogues, each part of the next, and last on the whole catalogue.

    Args:
        features: of n postings; candidates are found anew in each sub-catalogue.
        curves: of the whole catalogue.
        thresholds: of the whole catalogue, a similarity per signal.
        seed: of the sub-catalogues.
        progress: is told how many are done.
    """
    points, sizes = [], sizes_below(len(curves.groups))
    for done, size in enumerate(sizes, start=1):
        rows = whole_groups(curves.groups, size, seed)
        groups = np.unique(curves.groups[rows], return_inverse=True)[1].astype(np.intp)
        part = features.select(rows)
        pairs = pairs_of({signal: signal_candidates(signal, part) for signal in thresholds}, len(rows))
        points.append(_point(Curves(pairs, groups), thresholds))
        progress("Smaller catalogues", done, len(sizes))
    return [*points, _point(curves, thresholds)]


def _point(curves: Curves, thresholds: Mapping[str, float]) -> SizePoint:
    everyone = np.ones(len(curves.groups), bool)
    best = pick_thresholds(curves, list(thresholds), everyone)
    f1, f1_at_thresholds = (scores_at(curves.pairs, chosen, curves.groups).mean_f1 for chosen in (best, thresholds))
    return SizePoint(len(everyone), len(np.unique(curves.groups)), best, f1, f1_at_thresholds)
