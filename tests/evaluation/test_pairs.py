"""Pairs of several signals, and the lists that thresholds make of them."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.evaluation.pairs import Pairs, pairs_of
from pricematch.search.candidates import Candidates, top_k

SIMILARITIES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
PROPOSED = st.dictionaries(
    st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda key: key[0] != key[1]), SIMILARITIES
)
THRESHOLDS = st.sampled_from([0.0, 0.25, 0.4, 0.75, 1.0, np.inf])
POSTINGS = 6


def candidates(proposed: Mapping[tuple[int, int], float], postings: int = POSTINGS, count: int = 49) -> Candidates:
    """Candidates with these similarities by line and row."""
    lines, rows = (np.array([key[place] for key in proposed], np.intp) for place in (0, 1))
    return top_k(lines, rows, np.array(list(proposed.values()), float), postings, count)


def of_two(first: Mapping[tuple[int, int], float], second: Mapping[tuple[int, int], float]) -> Pairs:
    return pairs_of({"first": candidates(first), "second": candidates(second)}, POSTINGS)


@given(PROPOSED, PROPOSED)
def test_each_proposed_pair_is_there_once_with_what_every_signal_says(
    first: dict[tuple[int, int], float], second: dict[tuple[int, int], float]
) -> None:
    pairs = of_two(first, second)
    keys = list(zip(pairs.lines.tolist(), pairs.rows.tolist(), strict=True))
    assert keys == sorted(set(first) | set(second))
    assert len(pairs) == len(keys)
    for signal, proposed in (("first", first), ("second", second)):
        assert pairs.similarities[signal].tolist() == [proposed.get(key, -np.inf) for key in keys]


@given(PROPOSED, PROPOSED, THRESHOLDS, THRESHOLDS)
def test_a_list_is_the_posting_itself_and_what_one_signal_at_least_accepts(
    first: dict[tuple[int, int], float], second: dict[tuple[int, int], float], one: float, other: float
) -> None:
    pairs = of_two(first, second)
    lists = pairs.lists({"first": one, "second": other})
    assert len(lists) == POSTINGS
    accepted = {key for proposed, t in ((first, one), (second, other)) for key, s in proposed.items() if s >= t}
    assert pairs.accepted({"first": one, "second": other}).sum() == len(accepted)
    for line in range(POSTINGS):
        assert lists[line][0] == line
        assert sorted(lists[line][1:].tolist()) == sorted(row for found, row in accepted if found == line)


@given(PROPOSED, PROPOSED, THRESHOLDS, THRESHOLDS)
def test_margins_are_at_least_zero_for_matches_alone_and_rise_with_the_similarity(
    first: dict[tuple[int, int], float], second: dict[tuple[int, int], float], one: float, other: float
) -> None:
    pairs = of_two(first, second)
    thresholds = {"first": one, "second": other}
    margins = pairs.margins(thresholds)
    np.testing.assert_array_equal(margins >= 0, pairs.accepted(thresholds))
    assert (margins <= 1).all()
    alone = pairs.margins({"first": one})
    order = np.argsort(pairs.similarities["first"], kind="stable")
    assert (alone[order][1:] >= alone[order][:-1]).all()


def test_matches_are_ordered_by_how_far_they_are_from_the_threshold_to_one() -> None:
    first, second = {(0, 1): 0.9, (0, 2): 1.0}, {(0, 1): 0.5, (0, 3): 0.85, (0, 4): 0.25, (0, 5): 0.1}
    thresholds = {"first": 0.8, "second": 0.25}
    margins = {
        1: 0.1 / 0.2,
        2: 1.0,
        3: 0.6 / 0.75,
        4: 0.0,
        5: -0.15 / 0.75,
    }  # 1 by the first: the second says 0.25 / 0.75
    pairs = of_two(first, second)
    assert pairs.lists(thresholds)[0].tolist() == [0, 2, 3, 1, 4]
    ranking = pairs.ranking(thresholds)
    assert ranking.rows[0, :6].tolist() == [2, 3, 1, 4, 5, -1]
    assert ranking.similarities[0, :5].tolist() == pytest.approx([margins[row] for row in (2, 3, 1, 4, 5)])


def test_a_list_holds_the_best_fifty_with_the_posting_itself() -> None:
    near = {row: 0.5 + row / 1000 for row in range(1, 41)}
    far = {row: row / 1000 for row in range(41, 70)}
    proposed = [candidates({(0, row): value for row, value in part.items()}, 70) for part in (near, far)]
    found = pairs_of(dict(zip(("first", "second"), proposed, strict=True)), 70).lists({"first": 0.5, "second": 0.0})[0]
    assert len(found) == 50
    best = sorted(range(1, 70), key=lambda row: -((near[row] - 0.5) / 0.5 if row in near else far[row]))
    assert found.tolist() == [0, *best[:49]]


def test_pairs_that_are_below_a_threshold_of_one_are_still_ranked() -> None:
    pairs = pairs_of({"title": candidates({(0, 1): 0.2, (0, 2): 0.9, (0, 3): 1.0})}, POSTINGS)
    for threshold in (1.0, np.inf):
        assert pairs.ranking({"title": threshold}).rows[0, :4].tolist() == [3, 2, 1, -1]


def test_no_signals_propose_nothing() -> None:
    pairs = pairs_of({}, 3)
    assert len(pairs) == 0
    assert [found.tolist() for found in map(pairs.lists({}).__getitem__, range(3))] == [[0], [1], [2]]
