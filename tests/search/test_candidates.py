"""Candidates against sorting each query's rows in Python."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.search.candidates import (
    MAX_MEMBERS,
    NOBODY,
    Lists,
    among,
    largest,
    lists_of_labels,
    longest,
    places,
    stacked,
    top_k,
)

PAIRS = st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 9)), st.sampled_from([-0.5, 0.0, 0.25, 1.0]))
"""Similarity by query and row; few different ones, so that there are ties."""


def naive(pairs: dict[tuple[int, int], float], queries: int, count: int) -> list[list[tuple[int, float]]]:
    """Rows and similarities of each query, the best first, padded."""
    found = []
    for query in range(queries):
        best = sorted((-similarity, row) for (other, row), similarity in pairs.items() if other == query)[:count]
        own = [(row, -negative) for negative, row in best]
        found.append(own + [(NOBODY, -np.inf)] * (count - len(own)))
    return found


@given(PAIRS, st.integers(0, 6), st.randoms(use_true_random=False))
def test_top_k(pairs: dict[tuple[int, int], float], count: int, random: "np.random.Generator") -> None:
    """Each query has its best rows, ties by the lower row."""
    shuffled = list(pairs.items())
    random.shuffle(shuffled)
    query = np.array([key[0] for key, _ in shuffled], np.intp)
    row = np.array([key[1] for key, _ in shuffled], np.intp)
    found = top_k(query, row, np.array([value for _, value in shuffled], float), 5, count)
    assert len(found) == 5
    assert found.rows.shape == found.similarities.shape == (5, count)
    expected = naive(pairs, 5, count)
    assert found.rows.tolist() == [[row for row, _ in one] for one in expected]
    assert found.similarities.tolist() == [[similarity for _, similarity in one] for one in expected]


@given(values=st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 1.0]) | st.floats(-2, 2), min_size=1), data=st.data())
def test_the_largest_are_those_of_a_sort(values: list[float], data: st.DataObject) -> None:
    """With ties, and values as low as can be; among so many, too, that most of them are not sorted."""
    every = np.array(values * data.draw(st.sampled_from([1, 40])))
    place = data.draw(st.integers(1, len(every)))
    assert largest(every, place) == np.sort(every)[-place]


def test_stacked_blocks() -> None:
    """Blocks are stacked in order, and no blocks are no queries."""
    one = top_k(np.array([0]), np.array([3]), np.array([0.5]), 1, 2)
    other = top_k(np.array([1]), np.array([4]), np.array([0.25]), 2, 2)
    both = stacked([one, other], 2)
    assert both.rows.tolist() == [[3, NOBODY], [NOBODY, NOBODY], [4, NOBODY]]
    assert both.similarities.tolist() == [[0.5, -np.inf], [-np.inf, -np.inf], [0.25, -np.inf]]
    assert stacked([], 2).rows.shape == (0, 2)


def test_places() -> None:
    """Places are those of np.nonzero."""
    mask = np.random.default_rng(0).random((7, 5)) < 0.3
    for found, expected in zip(places(mask), np.nonzero(mask), strict=True):
        np.testing.assert_array_equal(found, expected)


def lists_of(rows: list[list[int]]) -> Lists:
    """These lists."""
    starts = np.cumsum([0, *map(len, rows)])
    return Lists(starts, np.array([row for each in rows for row in each], np.int32))


def naive_list(labels: list[int], row: int) -> list[int]:
    """Itself, and then the lowest others of its cluster, fifty together."""
    others = [other for other, label in enumerate(labels) if label == labels[row] >= 0 and other != row]
    return [row, *others[: MAX_MEMBERS - 1]]


@given(st.lists(st.integers(-1, 4), max_size=300))
def test_a_list_is_itself_and_the_lowest_others_of_its_cluster(labels: list[int]) -> None:
    lists = lists_of_labels(np.array(labels, np.intp))
    assert len(lists) == len(labels)
    assert [lists[row].tolist() for row in range(len(labels))] == [
        naive_list(labels, row) for row in range(len(labels))
    ]
    assert lists.sizes().tolist() == [len(naive_list(labels, row)) for row in range(len(labels))]


@pytest.mark.parametrize("size", [49, 50, 51, 120])
def test_a_list_holds_fifty_at_most_and_its_own_row_always(size: int) -> None:
    lists = lists_of_labels(np.zeros(size, np.intp))
    assert lists[size - 1].tolist() == [size - 1, *range(min(size - 1, 49))]


@given(
    st.integers(0, 12).flatmap(
        lambda n: st.lists(st.lists(st.integers(1, 5), min_size=n, max_size=n), min_size=3, max_size=3)
    )
)
def test_the_longest_list_wins_and_on_a_tie_the_first(sizes: list[list[int]]) -> None:
    # each list is told apart by where its numbers begin
    choices = [
        lists_of([list(range(1000 * which + row, 1000 * which + row + size)) for row, size in enumerate(each)])
        for which, each in enumerate(sizes)
    ]
    chosen = longest(*choices)
    for row in range(len(sizes[0])):
        winner = max(range(3), key=lambda which: (sizes[which][row], -which))
        assert chosen[row].tolist() == choices[winner][row].tolist()


def test_lists_of_some_rows_become_lists_of_all() -> None:
    lists = among(lists_of([[0, 2], [1], [2, 1, 0]]), np.array([5, 0, 3]), 6)
    assert [lists[row].tolist() for row in range(6)] == [[0], [1], [2], [3, 0, 5], [4], [5, 3]]
