"""How good a matcher is on smaller catalogues, at the thresholds stored for their size and at those of the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.evaluation.cluster_metrics import PairScores
from pricematch.evaluation.judged_lists import candidates_of, pairs_of, scores_of
from pricematch.evaluation.splits import whole_groups
from pricematch.matching.index import MatchIndex
from pricematch.pairs.model import PairModel
from pricematch.pairs.thresholds import F1, SizeThresholds, Target
from pricematch.search.candidates import Candidates

_MOST_DRAWS = 5


@dataclass(frozen=True)
class SizedTarget:
    """What the answers for a precision are worth.

    Attributes:
        threshold: the stored one for this size; inf takes none.
        stored: the pairs answered with that.
        fixed: with the one of the whole catalogue instead.
    """

    threshold: float
    stored: PairScores
    fixed: PairScores


@dataclass(frozen=True)
class MatchedSize:
    """The answers to judged postings of random sub-catalogues of whole groups, all of about one size.

    Attributes:
        draws: sub-catalogues.
        postings: how large they are, on average.
        judged: postings judged in all of them, at least one.
        threshold: the stored one for F1 at this size.
        f1: with that, and the one for postings left alone; the mean over all that are judged.
        f1_fixed: with those of the whole catalogue instead.
        targets: for each precision that thresholds are stored for; pairs of all sub-catalogues.
    """

    draws: int
    postings: int
    judged: int
    threshold: float
    f1: float
    f1_fixed: float
    targets: Mapping[Target, SizedTarget]


def smaller(
    postings: Features,
    groups: NDArray[np.intp],
    judged: NDArray[np.bool_],
    model: PairModel,
    stored: SizeThresholds,
    size: int,
    seed: int,
) -> MatchedSize | None:
    """The answers in some sub-catalogues, up to five while they hold half of the whole together, at least one.

    In a small one few answers are wrong, and luck decides how many: one alone says little of a precision.

    Args:
        postings: features of the n postings of the whole catalogue.
        groups: [n], the number of each posting's label group.
        judged: bool [n].
        model: a matcher's.
        stored: its thresholds.
        size: postings of each sub-catalogue, about.
        seed: of the first; the next have the next ones.

    Returns:
        None where none of them holds a judged posting.
    """
    draws = min(_MOST_DRAWS, max(1, len(groups) // (2 * size)))
    parts = [whole_groups(groups, size, seed + draw) for draw in range(draws)]
    points = [sized_part(postings, groups, judged, model, stored, rows) for rows in parts if judged[rows].any()]
    return _merged(points) if points else None


def sized_part(
    postings: Features,
    groups: NDArray[np.intp],
    judged: NDArray[np.bool_],
    model: PairModel,
    stored: SizeThresholds,
    rows: NDArray[np.intp],
) -> MatchedSize:
    """The answers in a sub-catalogue.

    Args:
        postings: features of the n postings of the whole catalogue.
        groups: [n], the number of each posting's label group.
        judged: bool [n].
        model: a matcher's.
        stored: its thresholds.
        rows: which postings are in the sub-catalogue, a judged one among them.
    """
    part = np.unique(groups[rows], return_inverse=True)[1].astype(np.intp)
    proposed = candidates_of(MatchIndex.build(postings.select(rows), model))
    return sized(proposed, part, judged[rows], stored, len(groups))


def sized(
    proposed: Candidates, groups: NDArray[np.intp], judged: NDArray[np.bool_], stored: SizeThresholds, whole: int
) -> MatchedSize:
    """The answers in a catalogue of n postings, part of one of `whole` postings; `groups` [n] are numbered from 0."""
    own, fixed = (stored.at(F1, size) for size in (len(groups), whole))
    f1, f1_fixed = (scores_of(proposed, chosen, groups).of(judged).mean_f1 for chosen in (own, fixed))
    targets = {}
    for target in stored.thresholds:
        if target.precision is not None:
            here, there = (stored.at(target, size) for size in (len(groups), whole))
            answered = (pairs_of(proposed, chosen, groups, judged) for chosen in (here, there))
            targets[target] = SizedTarget(here.match, *answered)
    return MatchedSize(1, len(groups), int(judged.sum()), own.match, f1, f1_fixed, targets)


def _merged(points: Sequence[MatchedSize]) -> MatchedSize:
    """Several sub-catalogues as one, with the thresholds of the first."""
    judged = [point.judged for point in points]
    return MatchedSize(
        len(points),
        round(np.mean([point.postings for point in points])),
        sum(judged),
        points[0].threshold,
        float(np.average([point.f1 for point in points], weights=judged)),
        float(np.average([point.f1_fixed for point in points], weights=judged)),
        {
            target: SizedTarget(
                first.threshold,
                reduce(add, (point.targets[target].stored for point in points)),
                reduce(add, (point.targets[target].fixed for point in points)),
            )
            for target, first in points[0].targets.items()
        },
    )
