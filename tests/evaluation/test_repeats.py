"""What repeats, against looking at every value by itself."""

from collections import Counter

import numpy as np
import pytest

from pricematch.evaluation.groups import Relation, known_groups
from pricematch.evaluation.repeats import find_repeats
from tests.support.catalogues import naive_relation, repetitive_postings


@pytest.mark.parametrize("seed", range(20))
def test_it_counts_what_looking_at_each_value_counts(seed: int) -> None:
    postings = repetitive_postings(60, seed, unlabelled=(seed % 3) / 4)
    values = [posting.image for posting in postings]
    found = find_repeats(values, known_groups(postings))
    counts = {relation: [0, 0] for relation in Relation}
    across = set()
    for value in set(values) - {None}:
        rows = [row for row, other in enumerate(values) if other == value]
        if len(rows) > 1:
            relation = naive_relation(postings[row].label_group for row in rows)
            counts[relation][0] += 1
            counts[relation][1] += len(rows)
            if relation is Relation.ACROSS:
                across.add(frozenset(rows))
    assert found.distinct == len(set(values) - {None})
    assert found.missing == values.count(None)
    assert found.values.tolist() == [counts[relation][0] for relation in Relation]
    assert found.postings.tolist() == [counts[relation][1] for relation in Relation]
    assert {frozenset(rows) for rows in found.across} == across
    assert len(found.across) == len(across)


@pytest.mark.parametrize("seed", range(5))
def test_those_of_most_groups_come_first_and_in_each_no_group_twice_before_all_have_had_their_turn(seed: int) -> None:
    postings = repetitive_postings(80, seed)
    groups = known_groups(postings)
    across = find_repeats([posting.image for posting in postings], groups).across
    assert len(across) > 3
    keys = [(-len({int(groups[row]) for row in rows} - {-1}), -len(rows), min(rows)) for rows in across]
    assert keys == sorted(keys)
    for rows in across:
        turns: list[int] = []
        seen: Counter[int] = Counter()
        for row in rows:
            turns.append(seen[groups[row]])
            seen[groups[row]] += 1
        assert turns == sorted(turns)


def test_without_a_value_nothing_repeats() -> None:
    found = find_repeats([None, None], np.array([0, 1], np.int32))
    assert (found.distinct, found.missing, found.values.sum(), found.across) == (0, 2, 0, ())


def test_a_single_posting_repeats_nothing() -> None:
    found = find_repeats(["a"], np.array([0], np.int32))
    assert (found.distinct, found.missing, found.values.sum(), found.across) == (1, 0, 0, ())
