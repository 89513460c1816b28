"""How good a matcher is on label groups it was not trained on, with the thresholds it was stored with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from pricematch.clustering.average_linkage import cohesive_clusters
from pricematch.evaluation.metrics import (
    PairScores,
    Scores,
    b_cubed_scores,
    bootstrap_interval,
    candidate_recall,
    map_at_k,
    pairwise_scores_of_lists,
    recall_at_k,
    scores,
)
from pricematch.evaluation.reliability import LIKELY, Reliability, brier_score, expected_calibration_error, reliability
from pricematch.evaluation.signal_evaluation import KS, Measured, sizes_below
from pricematch.evaluation.signals import CANDIDATES
from pricematch.evaluation.splits import whole_groups
from pricematch.matching.index import MatchIndex
from pricematch.matching.nodes import Nodes, node_keys, spread
from pricematch.pairs.home import Homing, Shrunk
from pricematch.pairs.model import PairModel, ScoredPairs
from pricematch.pairs.pair_features import PairFeatureExtractor
from pricematch.pairs.retriever import ParsedFeatures
from pricematch.pairs.thresholds import F1, SizeThresholds, Target, Thresholds
from pricematch.progress import Progress, silent
from pricematch.search.candidates import Candidates, top_k

_MOST_DRAWS = 5


@dataclass(frozen=True)
class _SizedTarget:
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
    """The answers to evaluated postings of random sub-catalogues of whole groups, all of about one size.

    Attributes:
        draws: sub-catalogues.
        postings: how large they are, on average.
        evaluated: postings evaluated in all of them, at least one.
        threshold: the stored one for F1 at this size.
        f1: with that, and the one for postings left alone; the mean over all that are evaluated.
        f1_fixed: with those of the whole catalogue instead.
        targets: for each precision that thresholds are stored for; pairs of all sub-catalogues.
    """

    draws: int
    postings: int
    evaluated: int
    threshold: float
    f1: float
    f1_fixed: float
    targets: Mapping[Target, _SizedTarget]


@dataclass(frozen=True, eq=False)
class MatcherEvaluation(Measured):
    """How good a matcher is on a catalogue of n postings, m of which are evaluated.

    Attributes:
        evaluated: bool [n].
        thresholds: for F1, at the catalogue's size.
        targets: what share of the pairs answered is right, and what share of the true pairs is answered, by target.
        clusters: scores of the m, the cluster of each being its answer.
        brier, calibration_error: of the probabilities of their candidates;
        calibration_error_likely: of those of 0.05 and more.
        reliability: for a diagram, of the likely ones.
        by_catalogue_size: ascending, the whole catalogue last; without sub-catalogues in which nothing is evaluated.
        shrunk: how the matcher decides in the whole catalogue.
    """

    evaluated: NDArray[np.bool_]
    thresholds: Thresholds
    targets: Mapping[Target, PairScores]
    clusters: Scores
    brier: float
    calibration_error: float
    calibration_error_likely: float
    reliability: Reliability
    by_catalogue_size: Sequence[MatchedSize]
    shrunk: Shrunk


@dataclass(frozen=True, eq=False)
class MatcherCase:
    """A matcher, and a catalogue of n postings to evaluate it on.

    Attributes:
        features: of the postings.
        groups: [n], the number of each posting's label group, from 0, none left out.
        evaluated: bool [n], whole groups that the matcher was not trained on, one posting at least.
        model, stored: the matcher's pair model and thresholds.
        homing: what shrinks them where the matcher is not at home; None where that is not known.
    """

    features: ParsedFeatures
    groups: NDArray[np.intp]
    evaluated: NDArray[np.bool_]
    model: PairModel
    stored: SizeThresholds
    homing: Homing | None = None


@dataclass(frozen=True, eq=False)
class _Answers:
    """The candidates of a catalogue by probability, and how right they are for its evaluated postings."""

    candidates: Candidates
    groups: NDArray[np.intp]
    evaluated: NDArray[np.bool_]

    def scores(self, thresholds: Thresholds) -> Scores:
        return scores(thresholds.lists(self.candidates), self.groups).of(self.evaluated)

    def pairs(self, thresholds: Thresholds) -> PairScores:
        return pairwise_scores_of_lists(thresholds.lists(self.candidates), self.groups, self.evaluated)

    def sized(self, stored: SizeThresholds, whole: int) -> MatchedSize:
        """The answers as those of a part of a catalogue of `whole` postings."""
        size = len(self.groups)
        own, fixed = stored.at(F1, size), stored.at(F1, whole)
        targets = {}
        for target in stored.thresholds:
            if target.precision is not None:
                here = stored.at(target, size)
                targets[target] = _SizedTarget(here.match, self.pairs(here), self.pairs(stored.at(target, whole)))
        f1, f1_fixed = self.scores(own).mean_f1, self.scores(fixed).mean_f1
        return MatchedSize(1, size, int(self.evaluated.sum()), own.match, f1, f1_fixed, targets)


def evaluate_matcher(case: MatcherCase, seed: int, progress: Progress) -> MatcherEvaluation:
    """Evaluate a matcher on the groups that it was not trained on; the seed draws interval and sub-catalogues."""
    groups, evaluated = case.groups, case.evaluated
    pairs, shrunk = shrunk_pairs(case.features, case.model, case.stored, case.homing, progress)
    stored = shrunk.thresholds
    answers = _Answers(candidates_of(pairs, len(groups)), groups, evaluated)
    thresholds = stored.at(F1, len(groups))
    points, sizes = [], sizes_below(len(groups))
    for done, size in enumerate(sizes, start=1):
        point = smaller(case, size, seed)
        if point is not None:
            points.append(point)
        progress("Evaluating parts", done, len(sizes))
    points.append(answers.sized(stored, len(groups)))
    scored = answers.scores(thresholds)
    labels = cohesive_clusters(
        pairs.left, pairs.right, pairs.probabilities, np.arange(len(groups)), thresholds.match
    ).assignment.labels
    weights = evaluated[pairs.left].astype(np.float64) + evaluated[pairs.right]
    truth = groups[pairs.left] == groups[pairs.right]
    p, likely = pairs.probabilities, pairs.probabilities >= LIKELY
    return MatcherEvaluation(
        scored,
        bootstrap_interval(scored.f1, groups[evaluated], seed),
        answers.pairs(thresholds),
        {k: recall_at_k(answers.candidates.rows, groups, k, evaluated) for k in KS},
        {k: map_at_k(answers.candidates.rows, groups, k, evaluated) for k in KS},
        candidate_recall(float(weights[truth].sum()), groups, evaluated),
        evaluated,
        thresholds,
        {target: answers.pairs(stored.at(target, len(groups))) for target in stored.thresholds},
        b_cubed_scores(labels, groups).of(evaluated),
        brier_score(p, truth, weights),
        expected_calibration_error(p, truth, weights),
        expected_calibration_error(p[likely], truth[likely], weights[likely]),
        reliability(p[likely], truth[likely], weights[likely]),
        points,
        shrunk,
    )


def scored_pairs(features: ParsedFeatures, model: PairModel, progress: Progress = silent) -> ScoredPairs:
    """The candidate pairs of n postings, equal ones being the same for sure, as the service has them."""
    return _scored_pairs(features, model, progress, None)


def shrunk_pairs(
    features: ParsedFeatures,
    model: PairModel,
    thresholds: SizeThresholds,
    homing: Homing | None,
    progress: Progress = silent,
) -> tuple[ScoredPairs, Shrunk]:
    """The candidate pairs of n postings by a matcher, and how it decides: shrunk where it is not at home, as served."""
    found = Shrunk(model, thresholds)

    def shrink(extractor: PairFeatureExtractor) -> PairModel:
        nonlocal found
        if homing is not None:
            found = homing.shrunk(extractor, model, thresholds)
        return found.model

    return _scored_pairs(features, model, progress, shrink), found


def _scored_pairs(
    features: ParsedFeatures,
    model: PairModel,
    progress: Progress,
    shrunk: Callable[[PairFeatureExtractor], PairModel] | None,
) -> ScoredPairs:
    nodes, first = Nodes.of(node_keys(features, model.signals, model.fields))
    index = MatchIndex.build(features.select(first), model, progress, copies=nodes.copies, shrunk=shrunk)
    left, right, probabilities = spread(nodes.of_row, index.base, nodes)
    return ScoredPairs(left, right, probabilities, probabilities)


def candidates_of(pairs: ScoredPairs, count: int) -> Candidates:
    """The 49 most probable others of each of `count` postings; their similarities are probabilities."""
    return top_k(
        np.concatenate([pairs.left, pairs.right]),
        np.concatenate([pairs.right, pairs.left]),
        np.concatenate([pairs.probabilities, pairs.probabilities]),
        count,
        CANDIDATES,
    )


def smaller(case: MatcherCase, size: int, seed: int) -> MatchedSize | None:
    """The answers in some sub-catalogues, up to five while they hold half of the whole together, at least one.

    In a small one few answers are wrong, and luck decides how many: one alone measures a precision badly. The seed is
    that of the first; the next have the next ones. None where none of them holds an evaluated posting.
    """
    draws = min(_MOST_DRAWS, max(1, len(case.groups) // (2 * size)))
    parts = [whole_groups(case.groups, size, seed + draw) for draw in range(draws)]
    points = [sized_part(case, rows) for rows in parts if case.evaluated[rows].any()]
    return _merged(points) if points else None


def sized_part(case: MatcherCase, rows: NDArray[np.intp]) -> MatchedSize:
    """The answers in the sub-catalogue of some rows, an evaluated one among them."""
    groups = np.unique(case.groups[rows], return_inverse=True)[1].astype(np.intp)
    pairs, shrunk = shrunk_pairs(case.features.select(rows), case.model, case.stored, case.homing)
    proposed = candidates_of(pairs, len(rows))
    return _Answers(proposed, groups, case.evaluated[rows]).sized(shrunk.thresholds, len(case.groups))


def _merged(points: Sequence[MatchedSize]) -> MatchedSize:
    """Several sub-catalogues as one, with the thresholds of the first."""
    evaluated = [point.evaluated for point in points]
    return MatchedSize(
        len(points),
        round(np.mean([point.postings for point in points])),
        sum(evaluated),
        points[0].threshold,
        float(np.average([point.f1 for point in points], weights=evaluated)),
        float(np.average([point.f1_fixed for point in points], weights=evaluated)),
        {
            target: _SizedTarget(
                first.threshold,
                reduce(add, (point.targets[target].stored for point in points)),
                reduce(add, (point.targets[target].fixed for point in points)),
            )
            for target, first in points[0].targets.items()
        },
    )
