"""The notebook's nearest neighbours, against sorting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.matching.clustering.nearest import MAX_MEMBERS, nearest, nearest_lists
from app.matching.neighbours import radius_graph

DIRECTIONS = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1], [-1, 0]], np.float32)
"""Whose products are the same in every order of summation, so that equal distances are exactly equal."""


def naive_list(distances: np.ndarray[tuple[int, ...], np.dtype[np.float32]], row: int, eps: float) -> list[int]:
    """Itself, then the others below eps by distance and row, fifty together."""
    others = [other for other in range(len(distances)) if other != row and distances[other] < np.float32(eps)]
    return sorted([row, *sorted(others, key=lambda other: (distances[other], other))][:50])


@given(st.lists(st.integers(0, 4), min_size=1, max_size=140), st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 2.0]))
def test_a_list_is_the_fifty_nearest_below_eps_itself_included(chosen: list[int], eps: float) -> None:
    embeddings = DIRECTIONS[chosen]
    lists = nearest_lists(radius_graph(embeddings, eps), eps)
    distances = np.clip(1 - embeddings @ embeddings.T, 0, 2)
    np.fill_diagonal(distances, 0)
    assert [rows.tolist() for rows in lists] == [naive_list(distances[row], row, eps) for row in range(len(chosen))]
    assert max(map(len, lists)) <= 50


def test_a_row_at_exactly_eps_is_no_neighbour() -> None:
    distance = float(np.float32(1) - np.float32(0.8))
    embeddings = DIRECTIONS[:2]
    assert [rows.tolist() for rows in nearest_lists(radius_graph(embeddings, distance), distance)] == [[0], [1]]


def test_ties_at_the_cut_go_to_the_lower_rows_and_the_row_itself_stays() -> None:
    lists = nearest_lists(radius_graph(DIRECTIONS[[0] * 60], 0.1), 0.1)
    assert lists[0].tolist() == list(range(MAX_MEMBERS))
    assert lists[59].tolist() == [*range(MAX_MEMBERS - 1), 59]


def test_clusters_are_the_distinct_lists_and_a_lone_row_is_noise() -> None:
    # 0 is near 1, 1 is near 2, 0 is not near 2, and 3 is opposite to 0
    labels, members = nearest(radius_graph(DIRECTIONS[[0, 1, 2, 4]], 0.3), 0.3)
    assert labels.tolist() == [0, 1, 2, -1]
    assert [rows.tolist() for rows in members] == [[0, 1], [0, 1, 2], [1, 2]]


def test_rows_with_equal_lists_share_a_cluster() -> None:
    labels, members = nearest(radius_graph(DIRECTIONS[[0, 4, 0, 4]], 0.3), 0.3)
    assert labels.tolist() == [0, 1, 0, 1]
    assert [rows.tolist() for rows in members] == [[0, 2], [1, 3]]


def test_no_rows_make_no_clusters() -> None:
    labels, members = nearest(radius_graph(np.empty((0, 2), np.float32), 0.3), 0.3)
    assert labels.tolist() == []
    assert members == []


@pytest.mark.parametrize("eps", [0.1, 0.3, 1.5])
def test_every_row_is_in_its_own_cluster(eps: float) -> None:
    chosen = np.random.default_rng(0).integers(0, 5, 80)
    labels, members = nearest(radius_graph(DIRECTIONS[chosen], eps), eps)
    for row, label in enumerate(labels):
        assert label >= 0
        assert row in members[label]
    assert labels[np.sort(np.unique(labels, return_index=True)[1])].tolist() == list(range(len(members)))
