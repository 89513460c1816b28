"""Pairs of postings for a person to decide: those whose feedback would teach most."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.matching.probability import LEAST_MEAN, ProbabilitySearch
from pricematch.pairs.explanation import Explanation
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
    """The undecided pairs whose probability is nearest the threshold, by log odds, one a crowd.

    A crowd is a cluster at the threshold: its postings raise the same question again and again, so a pair is passed
    over where a surer question was asked of either posting's crowd. Uncertainty sampling: Lewis and Gale, A Sequential
    Algorithm for Training Text Classifiers, 1994.

    Args:
        search: over the catalogue.
        rule: whose threshold of a match is meant.
        limit: pairs, at most.

    Returns:
        The nearest first, equally near ones by their ids.
    """
    threshold = min(max(rule.thresholds.match, LEAST_MEAN), 1.0)
    pairs = search.index.pairs
    lines, rows, probabilities = pairs.left, pairs.right, pairs.probabilities
    near = np.abs(_log_odds(probabilities) - _log_odds(np.array(threshold)))
    crowds, covered = _crowds(search, threshold), set[int]()
    found: list[tuple[int, int, float]] = []
    for place in _nearest_first(search, lines, rows, near):
        one, other = int(lines[place]), int(rows[place])
        if not {crowds[one], crowds[other]} & covered and not _decided(search, one, other):
            found.append((one, other, float(probabilities[place])))
            covered |= {crowds[one], crowds[other]}
        if len(found) == limit:
            break
    return [_unsure(search, *pair) for pair in found]


def _log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    held = np.clip(probabilities, _LEAST, 1 - _LEAST)
    return np.log(held / (1 - held))


def _crowds(search: ProbabilitySearch, threshold: float) -> list[int]:
    """The cluster of each row; one of its own for a posting alone."""
    labels = np.full(search.catalogue.span, -1)
    labels[search.catalogue.by_id] = search.clusters.all(threshold).assignment.labels
    alone = labels < 0
    labels[alone] = labels.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    return [int(label) for label in labels]


def _nearest_first(
    search: ProbabilitySearch, lines: NDArray[np.int32], rows: NDArray[np.int32], near: NDArray[np.float64]
) -> NDArray[np.intp]:
    ranks = np.empty(search.catalogue.span, np.intp)
    ranks[search.catalogue.by_id] = np.arange(len(search.catalogue))
    ends = np.sort(np.column_stack([ranks[lines], ranks[rows]]), axis=1)
    return np.lexsort((ends[:, 1], ends[:, 0], near))


def _decided(search: ProbabilitySearch, one: int, other: int) -> bool:
    return search.catalogue[other].posting_id in search.feedback.of(search.catalogue[one].posting_id)


def _unsure(search: ProbabilitySearch, one: int, other: int, probability: float) -> Unsure:
    one, other = sorted((one, other), key=lambda row: search.catalogue[row].posting_id)
    [explanation] = search.explain(search.pair(one, other), np.array([0]))
    return Unsure(search.catalogue[one].posting_id, search.catalogue[other].posting_id, probability, explanation)
