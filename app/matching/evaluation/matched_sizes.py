"""How good a matcher is on smaller catalogues, at the thresholds stored for their size and at those of the whole."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.matching.candidates import Candidates
from app.matching.cluster_metrics import PairScores
from app.matching.evaluation.judged_lists import candidates_of, pairs_of, scores_of
from app.matching.evidence.carried import Carried
from app.matching.evidence.reference import Reference
from app.matching.pair_model import JudgedCatalogue, PairModel
from app.matching.size_thresholds import F1, SizeThresholds, Target


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
    """The answers to judged postings of a random sub-catalogue of whole groups.

    Attributes:
        postings, judged: how large it is, and how many of them are judged.
        threshold: the stored one for F1 at this size.
        f1: with that, and the one for postings left alone.
        f1_fixed: with those of the whole catalogue instead.
        targets: for each precision that thresholds are stored for.
    """

    postings: int
    judged: int
    threshold: float
    f1: float
    f1_fixed: float
    targets: Mapping[Target, SizedTarget]


def sized_part(
    postings: Carried,
    groups: NDArray[np.intp],
    judged: NDArray[np.bool_],
    model: PairModel,
    stored: SizeThresholds,
    rows: NDArray[np.intp],
) -> MatchedSize:
    """The answers in a sub-catalogue.

    Args:
        postings: what the n postings of the whole catalogue carry.
        groups: [n], the number of each posting's label group.
        judged: bool [n].
        model: a matcher's.
        stored: its thresholds.
        rows: which postings are in the sub-catalogue.
    """
    part = np.unique(groups[rows], return_inverse=True)[1].astype(np.intp)
    proposed = candidates_of(JudgedCatalogue(Reference(postings.select(rows), model.signals), model))
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
    return MatchedSize(len(groups), int(judged.sum()), own.match, f1, f1_fixed, targets)
