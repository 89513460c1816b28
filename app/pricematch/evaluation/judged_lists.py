"""Scores of the lists of a match index at given thresholds."""

import numpy as np
from numpy.typing import NDArray

from pricematch.evaluation.cluster_metrics import PairScores, pairwise_scores_of_lists
from pricematch.evaluation.metrics import Scores, scores
from pricematch.evaluation.signals import CANDIDATES
from pricematch.matching.index import MatchIndex
from pricematch.pairs.thresholds import Thresholds
from pricematch.search.candidates import Candidates, top_k


def candidates_of(index: MatchIndex) -> Candidates:
    """The 49 most probable others of each posting of a fresh index; their similarities are probabilities."""
    pairs = index.base
    return top_k(
        np.concatenate([pairs.left, pairs.right]),
        np.concatenate([pairs.right, pairs.left]),
        np.concatenate([pairs.probabilities, pairs.probabilities]),
        len(index),
        CANDIDATES,
    )


def scores_of(proposed: Candidates, thresholds: Thresholds, groups: NDArray[np.intp]) -> Scores:
    """The scores of all n postings' lists; `groups` [n] are numbered from 0."""
    lists = thresholds.lists(proposed)
    return scores(lists.starts, lists.rows, groups)


def pairs_of(
    proposed: Candidates, thresholds: Thresholds, groups: NDArray[np.intp], judged: NDArray[np.bool_]
) -> PairScores:
    """The pairs in the lists of the judged postings, bool [n]."""
    lists = thresholds.lists(proposed)
    return pairwise_scores_of_lists(lists.starts, lists.rows, groups, judged)
