"""What signals are worth on label groups that their thresholds were not picked on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.evaluation.cluster_metrics import PairScores, pairwise_scores_of_lists
from pricematch.evaluation.curves import Curves
from pricematch.evaluation.intervals import bootstrap_interval
from pricematch.evaluation.metrics import Scores, group_sizes, map_at_k, recall_at_k, scores
from pricematch.evaluation.pairs import Pairs
from pricematch.evaluation.signals import CANDIDATES
from pricematch.evaluation.thresholds import pick_thresholds

KS = (1, 5, 10, 20, CANDIDATES)


@dataclass(frozen=True)
class Fold:
    """One fold: how many postings and groups it judges, the thresholds picked on the others, and the mean scores."""

    postings: int
    groups: int
    thresholds: Mapping[str, float]
    f1: float
    precision: float
    recall: float


@dataclass(frozen=True, eq=False)
class Measured:
    """What one signal, or several together, are worth.

    Attributes:
        thresholds: picked on all postings, a similarity per signal, inf where it takes nothing; what a user would take.
        scores: of each posting, at thresholds that its group had no part in.
        interval: of their mean F1, 95 %.
        pairwise: the pairs in all lists, at the same thresholds.
        folds: one by one.
        recall_at_k, map_at_k: of the candidates in the order of their margins, for each k of `KS`.
        candidate_recall: the share of the true pairs that is among the candidates; 1.0 if there are none.
    """

    thresholds: Mapping[str, float]
    scores: Scores
    interval: tuple[float, float]
    pairwise: PairScores
    folds: Sequence[Fold]
    recall_at_k: Mapping[int, float]
    map_at_k: Mapping[int, float]
    candidate_recall: float


def measure(curves: Curves, signals: Sequence[str], fold_of: NDArray[np.intp], seed: int) -> Measured:
    """Measure some signals of a catalogue together.

    Args:
        curves: of the catalogue's n postings.
        signals: which of its signals, at least one.
        fold_of: [n], from 0; no group is in two folds, and there are two at least.
        seed: of the bootstrap.
    """
    pairs, groups = curves.pairs, curves.groups
    thresholds = pick_thresholds(curves, signals, np.ones(len(groups), bool))
    scored, pairwise, folds = _folds(curves, signals, fold_of)
    ranking = pairs.ranking(thresholds).rows
    return Measured(
        thresholds,
        scored,
        bootstrap_interval(scored.f1, groups, seed),
        pairwise,
        folds,
        {k: recall_at_k(ranking, groups, k) for k in KS},
        {k: map_at_k(ranking, groups, k) for k in KS},
        _candidate_recall(pairs, signals, groups),
    )


def scores_at(pairs: Pairs, thresholds: Mapping[str, float], groups: NDArray[np.intp]) -> Scores:
    """The scores of each posting at some thresholds."""
    lists = pairs.lists(thresholds)
    return scores(lists.starts, lists.rows, groups)


def _folds(curves: Curves, signals: Sequence[str], fold_of: NDArray[np.intp]) -> tuple[Scores, PairScores, list[Fold]]:
    """Each posting's scores at the thresholds picked on the other folds, those of all pairs, and the folds."""
    groups = curves.groups
    f1, precision, recall = (np.empty(len(groups)) for _ in range(3))
    pairwise = PairScores(0, 0, 0)
    folds = []
    for number in range(int(fold_of.max()) + 1):
        judged = fold_of == number
        thresholds = pick_thresholds(curves, signals, ~judged)
        lists = curves.pairs.lists(thresholds)
        part = scores(lists.starts, lists.rows, groups).of(judged)
        pairwise += pairwise_scores_of_lists(lists.starts, lists.rows, groups, judged)
        f1[judged], precision[judged], recall[judged] = part.f1, part.precision, part.recall
        count, postings = len(np.unique(groups[judged])), int(judged.sum())
        folds.append(Fold(postings, count, thresholds, part.mean_f1, part.mean_precision, part.mean_recall))
    return Scores(f1, precision, recall), pairwise, folds


def _candidate_recall(pairs: Pairs, signals: Sequence[str], groups: NDArray[np.intp]) -> float:
    """The share of all ordered pairs of one group that one of the signals proposes."""
    proposed = np.any([pairs.similarities[signal] > -np.inf for signal in signals], axis=0)
    right = groups[pairs.lines[proposed]] == groups[pairs.rows[proposed]]
    true_pairs = int((group_sizes(groups) - 1).sum())
    return int(right.sum()) / true_pairs if true_pairs else 1.0
