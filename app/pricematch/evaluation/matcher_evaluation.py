"""How good a matcher is on label groups it was not trained on, with the thresholds it was stored with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Features
from pricematch.clustering.average_linkage import cohesive_clusters
from pricematch.evaluation.catalogue_sizes import sizes_below
from pricematch.evaluation.cluster_metrics import PairScores, b_cubed_scores
from pricematch.evaluation.intervals import bootstrap_interval
from pricematch.evaluation.judged_lists import candidates_of, pairs_of, scores_of
from pricematch.evaluation.matcher_sizes import MatchedSize, sized, smaller
from pricematch.evaluation.metrics import Scores, group_sizes, map_at_k, recall_at_k
from pricematch.evaluation.reliability import Reliability, brier_score, expected_calibration_error, reliability
from pricematch.matching.index import MatchIndex
from pricematch.pairs.model import PairModel
from pricematch.pairs.thresholds import F1, SizeThresholds, Target, Thresholds
from pricematch.progress import Progress

LIKELY = 0.05
"""Pairs at least as probable are counted apart: most candidates are plainly different and easy to be right on."""


@dataclass(frozen=True, eq=False)
class Matched:
    """What a matcher is worth on a catalogue of n postings, m of which are judged.

    Attributes:
        judged: bool [n].
        thresholds: for F1, at the catalogue's size.
        scores: of the m judged postings.
        interval: of their mean F1, 95 %.
        pairwise: the pairs in their lists.
        targets: what share of the pairs answered is right, and what share of the true pairs is answered, by target.
        clusters: scores of the m, the cluster of each being its answer.
        brier, calibration_error: of the probabilities of their candidates;
        calibration_error_likely: of those of 0.05 and more.
        reliability: for a diagram, of the likely ones.
        candidate_recall: the share of their true pairs that is among the candidates.
        recall_at_k, map_at_k: of their candidates by probability.
        by_catalogue_size: ascending, the whole catalogue last; without sub-catalogues in which nothing is judged.
    """

    judged: NDArray[np.bool_]
    thresholds: Thresholds
    scores: Scores
    interval: tuple[float, float]
    pairwise: PairScores
    targets: Mapping[Target, PairScores]
    clusters: Scores
    brier: float
    calibration_error: float
    calibration_error_likely: float
    reliability: Reliability
    candidate_recall: float
    recall_at_k: Mapping[int, float]
    map_at_k: Mapping[int, float]
    by_catalogue_size: Sequence[MatchedSize]


def judge_matcher(
    postings: Features,
    groups: NDArray[np.intp],
    judged: NDArray[np.bool_],
    model: PairModel,
    stored: SizeThresholds,
    ks: Sequence[int],
    seed: int,
    progress: Progress,
) -> Matched:
    """Judge a matcher.

    Args:
        postings: features of the n postings of a catalogue.
        groups: [n], the number of each posting's label group, from 0, none left out.
        judged: bool [n], whole groups that the matcher was not trained on, one posting at least.
        model: the matcher's.
        stored: its thresholds.
        ks: for recall@k and mAP@k.
        seed: of the interval and the sub-catalogues.
        progress: is told what is being done.
    """
    index = MatchIndex.build(postings, model, progress)
    pairs, proposed = index.base, candidates_of(index)
    thresholds = stored.at(F1, len(groups))
    points, sizes = [], sizes_below(len(groups))
    for done, size in enumerate(sizes, start=1):
        point = smaller(postings, groups, judged, model, stored, size, seed)
        if point is not None:
            points.append(point)
        progress("Judging parts", done, len(sizes))
    scored = scores_of(proposed, thresholds, groups).of(judged)
    points.append(sized(proposed, groups, judged, stored, len(groups)))
    labels = cohesive_clusters(
        pairs.left, pairs.right, pairs.probabilities, np.arange(len(groups)), thresholds.match
    ).assignment.labels
    weights = (judged[pairs.left].astype(np.float64) + judged[pairs.right]).astype(np.float64)
    truth = groups[pairs.left] == groups[pairs.right]
    p, likely = pairs.probabilities, pairs.probabilities >= LIKELY
    return Matched(
        judged,
        thresholds,
        scored,
        bootstrap_interval(scored.f1, groups[judged], seed),
        pairs_of(proposed, thresholds, groups, judged),
        {target: pairs_of(proposed, stored.at(target, len(groups)), groups, judged) for target in stored.thresholds},
        b_cubed_scores(labels, groups).of(judged),
        brier_score(p, truth, weights),
        expected_calibration_error(p, truth, weights),
        expected_calibration_error(p[likely], truth[likely], weights[likely]),
        reliability(p[likely], truth[likely], weights[likely]),
        _candidate_recall(weights[truth], groups, judged),
        {k: recall_at_k(proposed.rows, groups, k, judged) for k in ks},
        {k: map_at_k(proposed.rows, groups, k, judged) for k in ks},
        points,
    )


def _candidate_recall(weights: NDArray[np.float64], groups: NDArray[np.intp], judged: NDArray[np.bool_]) -> float:
    """The share of the true pairs of judged postings, given how many judged ends each one found has."""
    true_pairs = int((group_sizes(groups) - 1)[judged].sum())
    return float(weights.sum()) / true_pairs if true_pairs else 1.0
