"""Pairs of postings for a person to decide: those whose feedback would teach most."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.probability_clusters import LEAST_MEAN
from pricematch.pairs.explanation import Explanation
from pricematch.pairs.model import ScoredPairs
from pricematch.pairs.thresholds import DecisionRule

_LEAST = 1e-6


@dataclass(frozen=True)
class Unsure:
    """A pair that the matcher is not sure of.

    Attributes:
        first, second: posting_ids, first < second.
        probability: that both are the same product.
        explanation: why.
    """

    first: str
    second: str
    probability: float
    explanation: Explanation


def review(search: ProbabilitySearch, rule: DecisionRule, limit: int) -> list[Unsure]:
    """The undecided pairs whose probability is nearest the threshold, by log odds, one a cluster.

    The postings of a cluster at the threshold raise the same question again and again, so a pair is passed over where a
    pair nearer the threshold has been taken from either posting's cluster. Uncertainty sampling: Lewis and Gale, A
    Sequential Algorithm for Training Text Classifiers, 1994.

    Args:
        search: over the catalogue.
        rule: whose threshold of a match is meant.
        limit: pairs, at most.

    Returns:
        The nearest first, equally near ones by their ids.
    """
    threshold = min(max(rule.thresholds.match, LEAST_MEAN), 1.0)
    pairs = _standing(search)
    near = np.abs(_log_odds(pairs.probabilities) - _log_odds(np.array(threshold)))
    clusters, covered = _clusters(search, threshold), set[int]()
    found: list[Unsure] = []
    for place in _nearest_first(search, pairs, near):
        ends = int(pairs.left[place]), int(pairs.right[place])
        both = {clusters[row] for row in ends}
        if not both & covered and not _decided(search, *ends):
            found.append(_unsure(search, *ends, float(pairs.probabilities[place])))
            covered |= both
        if len(found) == limit:
            break
    return found


def _standing(search: ProbabilitySearch) -> ScoredPairs:
    """The candidate pairs of nodes, by the row of each node's first posting by id."""
    pairs, rows = search.index.pairs, search.nodes.standing(search.catalogue.alive, search.catalogue.by_id)
    return replace(pairs, left=rows[pairs.left].astype(np.int32), right=rows[pairs.right].astype(np.int32))


def _log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(probabilities, _LEAST, 1 - _LEAST)
    return np.log(inside / (1 - inside))


def _clusters(search: ProbabilitySearch, threshold: float) -> list[int]:
    """The cluster of each row; one of its own for a posting alone."""
    labels = np.full(search.catalogue.span, -1)
    labels[search.catalogue.by_id] = search.clusters.all(threshold).assignment.labels
    alone = labels < 0
    labels[alone] = labels.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    return [int(label) for label in labels]


def _nearest_first(search: ProbabilitySearch, pairs: ScoredPairs, near: NDArray[np.float64]) -> NDArray[np.intp]:
    ranks = np.empty(search.catalogue.span, np.intp)
    ranks[search.catalogue.by_id] = np.arange(len(search.catalogue))
    ends = np.sort(np.column_stack([ranks[pairs.left], ranks[pairs.right]]), axis=1)
    return np.lexsort((ends[:, 1], ends[:, 0], near))


def _decided(search: ProbabilitySearch, left: int, right: int) -> bool:
    return search.catalogue[right].posting_id in search.feedback.of(search.catalogue[left].posting_id)


def _unsure(search: ProbabilitySearch, left: int, right: int, probability: float) -> Unsure:
    left, right = sorted((left, right), key=lambda row: search.catalogue[row].posting_id)
    [explanation] = search.explain(search.pair(left, right), np.array([0]))
    first, second = search.catalogue.ids_of([left, right])
    return Unsure(first, second, probability, explanation)
