"""How well signals find the label groups of a catalogue.

Every posting is a query against the whole catalogue. Thresholds are picked on the queries of some label groups and
evaluated on those of the others, fold by fold: each posting is scored once, at thresholds that its group had no part
in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.evaluation.breakdown import (
    Mistake,
    ScoredGroup,
    SizeClass,
    best_groups,
    by_group_size,
    surest_mistakes,
    worst_groups,
)
from pricematch.evaluation.curves import Curve, Curves, pick_thresholds
from pricematch.evaluation.metrics import (
    PairScores,
    Scores,
    bootstrap_interval,
    candidate_recall,
    map_at_k,
    pairwise_scores_of_lists,
    recall_at_k,
    scores,
)
from pricematch.evaluation.signals import CANDIDATES, Pairs, pairs_of, signal_candidates
from pricematch.evaluation.splits import split_groups, whole_groups
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.progress import Progress
from pricematch.search.candidates import Candidates

_TOGETHER = "together"
KS = (1, 5, 10, 20, CANDIDATES)
_LARGE = 2_000
"""Postings above which the smallest sub-catalogue has 1,000."""
_SHOWN = 10
"""Groups and mistakes that are named."""


@dataclass(frozen=True)
class Fold:
    """One fold: its numbers of postings and groups, the thresholds picked on the others, and its mean scores."""

    postings: int
    groups: int
    thresholds: Mapping[str, float]
    f1: float
    precision: float
    recall: float


@dataclass(frozen=True, eq=False)
class Measured:
    """How good the matches of the evaluated postings are.

    Attributes:
        scores: of each posting.
        interval: of their mean F1, 95 %.
        pairwise: the pairs in all their lists.
        recall_at_k, map_at_k: of their candidates, the surest first, for each k of `KS`.
        candidate_recall: the share of their true pairs that is among the candidates; 1.0 if there are none.
    """

    scores: Scores
    interval: tuple[float, float]
    pairwise: PairScores
    recall_at_k: Mapping[int, float]
    map_at_k: Mapping[int, float]
    candidate_recall: float


@dataclass(frozen=True, eq=False)
class MeasuredSignals(Measured):
    """How good one signal, or several together, are: every posting at thresholds that its group had no part in.

    Attributes:
        thresholds: picked on all postings, a similarity per signal, inf where it takes nothing; what a user would take.
        folds: one by one.
    """

    thresholds: Mapping[str, float]
    folds: Sequence[Fold]


@dataclass(frozen=True)
class SizePoint:
    """F1 on a random sub-catalogue of whole groups.

    Attributes:
        postings, groups: how large it is.
        thresholds: the best ones there, a similarity per signal.
        f1: at those; picked and evaluated on the same postings.
        f1_at_thresholds: at the thresholds of the whole catalogue.
    """

    postings: int
    groups: int
    thresholds: Mapping[str, float]
    f1: float
    f1_at_thresholds: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that is measured on a catalogue of n postings.

    Attributes:
        groups: intp [n], the number of each posting's label group.
        pairs: the candidates of all signals.
        alone: of every signal, by its name.
        together: of all of them; of a single signal the same.
        curves: of every signal alone, over all postings.
        curves_together: of every signal while the others stay at their thresholds of `together`.
        by_group_size, worst, best: from the held-out scores of `together`.
        mistakes: at the thresholds of `together`.
        by_catalogue_size: ascending, the whole catalogue last.
    """

    groups: NDArray[np.intp]
    pairs: Pairs
    alone: Mapping[str, MeasuredSignals]
    together: MeasuredSignals
    curves: Mapping[str, Curve]
    curves_together: Mapping[str, Curve]
    by_group_size: Sequence[SizeClass]
    worst: Sequence[ScoredGroup]
    best: Sequence[ScoredGroup]
    mistakes: Sequence[Mistake]
    by_catalogue_size: Sequence[SizePoint]

    @property
    def measured(self) -> dict[str, MeasuredSignals]:
        """Every signal alone, and where there are several, all of them together."""
        return dict(self.alone) | ({_TOGETHER: self.together} if len(self.alone) > 1 else {})

    @property
    def group_count(self) -> int:
        """How many label groups there are."""
        return len(np.unique(self.groups))


def evaluate(
    features: ParsedFeatures,
    signals: Sequence[str],
    groups: NDArray[np.intp],
    folds: int,
    seed: int,
    progress: Progress,
) -> Evaluation:
    """Measure signals, each alone and all together.

    `groups` [n] number the label groups of n postings from 0, none left out. The seed is that of the folds (two at
    least), the bootstrap and the sub-catalogues.

    Raises:
        ValueError: fewer groups than folds.
    """
    fold_of = split_groups(groups, folds, seed)
    curves = Curves(pairs_of(find_candidates(features, signals, progress), len(groups)), groups)
    names, measured = list(signals), []
    choices = [[name] for name in names] + ([names] if len(names) > 1 else [])
    for done, choice in enumerate(choices):
        progress("Picking thresholds", done, len(choices))
        measured.append(measure(curves, choice, fold_of, seed))
    progress("Picking thresholds", len(choices), len(choices))
    together, everyone = measured[-1], np.ones(len(groups), bool)
    thresholds, scored = together.thresholds, together.scores
    others = {name: {other: thresholds[other] for other in names if other != name} for name in names}
    return Evaluation(
        groups,
        curves.pairs,
        dict(zip(names, measured, strict=False)),
        together,
        {name: curves.of(name, everyone) for name in names},
        {name: curves.of(name, everyone, others[name]) for name in names},
        by_group_size(scored, groups),
        worst_groups(scored, groups, _SHOWN),
        best_groups(scored, groups, _SHOWN),
        surest_mistakes(curves.pairs, thresholds, groups, _SHOWN),
        by_catalogue_size(features, curves, thresholds, seed, progress),
    )


def find_candidates(features: ParsedFeatures, signals: Sequence[str], progress: Progress) -> dict[str, Candidates]:
    """The candidates of n postings by each signal, by its name."""
    found = {}
    for done, signal in enumerate(signals):
        progress("Finding candidates", done, len(signals))
        found[signal] = signal_candidates(signal, features)
    progress("Finding candidates", len(signals), len(signals))
    return found


def measure(curves: Curves, signals: Sequence[str], fold_of: NDArray[np.intp], seed: int) -> MeasuredSignals:
    """Measure some signals of a catalogue together, at least one.

    `fold_of` [n] numbers the folds from 0, at least two; no group is in two of them. The seed is that of the bootstrap.
    """
    pairs, groups = curves.pairs, curves.groups
    everyone = np.ones(len(groups), bool)
    thresholds = pick_thresholds(curves, signals, everyone)
    scored, pairwise, folds = _folds(curves, signals, fold_of)
    ranking = pairs.ranking(thresholds).rows
    proposed = np.any([pairs.similarities[signal] > -np.inf for signal in signals], axis=0)
    right = groups[pairs.left[proposed]] == groups[pairs.right[proposed]]
    return MeasuredSignals(
        scored,
        bootstrap_interval(scored.f1, groups, seed),
        pairwise,
        {k: recall_at_k(ranking, groups, k) for k in KS},
        {k: map_at_k(ranking, groups, k) for k in KS},
        candidate_recall(int(right.sum()), groups, everyone),
        thresholds,
        folds,
    )


def _folds(curves: Curves, signals: Sequence[str], fold_of: NDArray[np.intp]) -> tuple[Scores, PairScores, list[Fold]]:
    """Each posting's scores at the thresholds picked on the other folds, those of all pairs, and the folds."""
    groups = curves.groups
    f1, precision, recall = (np.empty(len(groups)) for _ in range(3))
    pairwise = PairScores(0, 0, 0)
    folds = []
    for number in range(int(fold_of.max()) + 1):
        evaluated = fold_of == number
        thresholds = pick_thresholds(curves, signals, ~evaluated)
        lists = curves.pairs.lists(thresholds)
        part = scores(lists, groups).of(evaluated)
        pairwise += pairwise_scores_of_lists(lists, groups, evaluated)
        f1[evaluated], precision[evaluated], recall[evaluated] = part.f1, part.precision, part.recall
        count, postings = len(np.unique(groups[evaluated])), int(evaluated.sum())
        folds.append(Fold(postings, count, thresholds, part.mean_f1, part.mean_precision, part.mean_recall))
    return Scores(f1, precision, recall), pairwise, folds


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

    Candidates are found anew in each; curves and thresholds are those of the whole.
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
    f1, f1_at_thresholds = (scores(curves.pairs.lists(chosen), curves.groups).mean_f1 for chosen in (best, thresholds))
    return SizePoint(len(everyone), len(np.unique(curves.groups)), best, f1, f1_at_thresholds)
