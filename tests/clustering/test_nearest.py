"""The notebook's nearest neighbours, against sorting and against scikit-learn."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.features import Embeddings
from pricematch.clustering.nearest import nearest_lists
from pricematch.search.lists import MAX_MEMBERS
from pricematch.search.neighbours import radius_graph
from tests.support.vectors import clustered, collinear, duplicated, lattice, matrix_of, scattered

DIRECTIONS = np.full((5, 4), 0.5, np.float32)
for _place in range(1, 5):
    DIRECTIONS[_place, 4 - _place :] *= -1
"""At distances of 0.5 from one to the next, exactly."""
EVERY_EPS = [round(0.001 * step, 3) for step in range(1, 9)]


@given(st.lists(st.integers(0, 4), min_size=1, max_size=140), st.sampled_from([0.0, 0.4, 0.5, 0.6, 1.0, 1.2, 2.0]))
def test_a_list_is_itself_and_the_nearest_below_eps_fifty_together(chosen: list[int], eps: float) -> None:
    graph = radius_graph(DIRECTIONS[chosen], eps)
    lists, matrix = nearest_lists(graph, eps), abs(np.subtract.outer(chosen, chosen)) / 2
    for row in range(len(chosen)):
        below = [other for other in range(len(chosen)) if other != row and matrix[row, other] < eps]
        below.sort(key=lambda other: (matrix[row, other], other))
        assert lists[row].tolist() == [row, *below[: MAX_MEMBERS - 1]]


def test_a_row_at_exactly_eps_is_no_neighbour() -> None:
    graph = radius_graph(DIRECTIONS[:2], 0.5)
    assert len(graph.rows) == 4
    assert nearest_lists(graph, 0.5).sizes().tolist() == [1, 1]


def test_a_graph_of_a_larger_radius_gives_the_same_lists() -> None:
    embeddings = clustered(80)
    for eps in (0.0, 0.05, 0.2):
        from_larger, own = (
            nearest_lists(radius_graph(embeddings, 0.6), eps),
            nearest_lists(radius_graph(embeddings, eps), eps),
        )
        np.testing.assert_array_equal(from_larger.starts, own.starts)
        np.testing.assert_array_equal(from_larger.rows, own.rows)


def test_no_rows_have_no_lists() -> None:
    assert len(nearest_lists(radius_graph(np.empty((0, 4), np.float32), 0.5), 0.5)) == 0


@pytest.mark.parametrize("count", [1, 2, 3, 120])
@pytest.mark.parametrize("make", [scattered, clustered, duplicated, collinear, lattice])
def test_they_are_those_of_scikit_learn_but_for_the_choice_among_equals_at_the_cut(
    make: Callable[..., Embeddings], count: int
) -> None:
    from sklearn.neighbors import NearestNeighbors

    embeddings = make(count).astype(np.float64)
    neighbours = NearestNeighbors(n_neighbors=min(50, count), metric="cosine").fit(embeddings)
    distances, rows = neighbours.kneighbors(embeddings)
    graph = radius_graph(make(count), 0.3)
    matrix = matrix_of(graph)
    for eps in [*EVERY_EPS, 0.0301, 0.2999]:
        lists = nearest_lists(graph, eps)
        for row in range(count):
            theirs, ours = set(rows[row, distances[row] < eps].tolist()) | {row}, set(lists[row].tolist())
            assert len(ours) == min(len(theirs), MAX_MEMBERS)
            edge = max((matrix[row, other] for other in ours), default=0)
            assert all(abs(matrix[row, other] - edge) <= 1e-15 for other in ours ^ theirs)
