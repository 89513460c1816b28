"""The best cut against trying every one."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.clustering.average_linkage import SCALE, Linkage, average_linkage
from pricematch.evaluation.best_cut import best_cut
from pricematch.evaluation.cluster_metrics import b_cubed_scores
from tests.support.likely_pairs import Pair, arrays, likely_pairs

LOWEST = 0.1


def linked(count: int, probabilities: Mapping[Pair, float]) -> Linkage:
    return average_linkage(*arrays(probabilities), np.arange(count), LOWEST)


@given(likely_pairs(), st.lists(st.integers(0, 2), min_size=9), st.lists(st.booleans(), min_size=9))
def test_no_other_threshold_scores_higher_and_the_cut_scores_what_it_says(
    pairs: tuple[int, dict[Pair, float]], groups: list[int], asked: list[bool]
) -> None:
    count, probabilities = pairs
    numbers, judged = np.array(groups[:count], np.intp), np.array([True, *asked[1:count]], bool)
    linkage = linked(count, probabilities)
    cut = best_cut(linkage, numbers, judged)

    def mean_f1(threshold: float) -> float:
        return b_cubed_scores(linkage.labels(threshold), numbers).of(judged).mean_f1

    assert mean_f1(cut.threshold) == pytest.approx(cut.mean_f1)
    edges = sorted([LOWEST, 1.0, *linkage.averages.tolist()])
    halfway = [(low + high) / 2 for low, high in pairwise(edges) if high - low > 2 / SCALE]
    assert max(map(mean_f1, [LOWEST, *halfway])) <= cut.mean_f1 + 1e-9


def test_the_cut_is_halfway_between_the_last_merge_that_helps_and_the_first_that_harms() -> None:
    linkage = linked(4, {(0, 1): 0.875, (2, 3): 0.75, (1, 2): 0.875})
    # averages: 0.875 joins 0 and 1, then 2 and 3 by 0.75, then the two pairs by 0.875 / 4
    assert linkage.averages.tolist() == [0.875, 0.75, 0.21875]
    cut = best_cut(linkage, np.array([0, 0, 1, 1]), np.ones(4, bool))
    assert (cut.threshold, cut.mean_f1) == ((0.75 + 0.21875) / 2, 1)


def test_where_all_are_alone_nothing_is_joined_and_where_all_are_one_everything() -> None:
    linkage = linked(3, {(0, 1): 0.5, (0, 2): 0.5, (1, 2): 0.5})
    assert best_cut(linkage, np.arange(3), np.ones(3, bool)).threshold == 0.75
    assert best_cut(linkage, np.zeros(3, np.intp), np.ones(3, bool)).threshold == LOWEST
