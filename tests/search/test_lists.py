"""Lists of labels, and the longest of several."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.search.lists import MAX_MEMBERS, Lists, among, lists_of_labels, longest


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


def test_lists_of_some_rows_become_lists_of_all_and_the_others_are_alone() -> None:
    lists = among(lists_of([[0, 2], [1], [2, 1, 0]]), np.array([5, 0, 3]), 6)
    assert [lists[row].tolist() for row in range(6)] == [[0], [1], [2], [3, 0, 5], [4], [5, 3]]
