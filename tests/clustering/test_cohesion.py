"""Clusters with their cohesion."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.clustering.average_linkage import average_linkage
from pricematch.clustering.cohesion import cohesion, cohesive_clusters
from tests.support.likely_pairs import Pair, arrays, every_pair, likely_pairs


@given(likely_pairs(), st.floats(0.05, 1))
def test_cohesion_is_the_mean_probability_of_all_pairs_within_and_at_least_the_threshold(
    pairs: tuple[int, dict[Pair, float]], threshold: float
) -> None:
    count, probabilities = pairs
    found = cohesive_clusters(*arrays(probabilities), np.arange(count), threshold)
    assert len(found.cohesion) == len(found.assignment.members)
    for members, value in zip(found.assignment.members, found.cohesion, strict=True):
        inner = [probabilities.get(pair, 0.0) for pair in combinations(members.tolist(), 2)]
        assert value == pytest.approx(sum(inner) / len(inner), abs=1e-8)
        assert threshold - 1e-9 <= value <= 1


@given(likely_pairs(), st.floats(0.05, 1))
def test_clusters_are_those_of_average_linkage(pairs: tuple[int, dict[Pair, float]], threshold: float) -> None:
    count, probabilities = pairs
    found = cohesive_clusters(*arrays(probabilities), np.arange(count), threshold).assignment
    labels = average_linkage(*arrays(probabilities), np.arange(count), threshold).labels(threshold)
    assert found.labels.tolist() == labels.tolist()
    for number, members in enumerate(found.members):
        assert len(members) >= 2
        assert members.tolist() == np.flatnonzero(labels == number).tolist()
    assert found.noise == count - sum(map(len, found.members))


def test_a_pair_that_is_no_candidate_lowers_the_cohesion() -> None:
    whole = every_pair(range(4), probability=0.9)
    assert cohesion(np.zeros(4, np.intp), *arrays(whole)).tolist() == pytest.approx([0.9])
    del whole[0, 3]
    assert cohesion(np.zeros(4, np.intp), *arrays(whole)).tolist() == pytest.approx([0.9 * 5 / 6])


def test_without_clusters_there_is_no_cohesion() -> None:
    assert cohesion(np.array([-1, -1]), *arrays({(0, 1): 0.9})).tolist() == []
    assert cohesive_clusters(*arrays({}), np.arange(0), 0.5).cohesion.tolist() == []


def test_a_threshold_that_no_probability_reaches_leaves_everybody_alone() -> None:
    lines, rows = np.array([0, 0, 1], np.int32), np.array([1, 2, 2], np.int32)
    found = cohesive_clusters(lines, rows, np.ones(3), np.arange(3), np.inf)
    assert found.assignment.labels.tolist() == [-1, -1, -1]
    assert len(found.cohesion) == 0
