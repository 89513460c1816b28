"""Near-duplicates, against comparing all pairs of postings."""

import itertools
from collections import Counter

import numpy as np
import pytest

from pricematch.catalogue.hashes import parse_hashes
from pricematch.catalogue.postings import Posting
from pricematch.evaluation.near_duplicates import (
    UNKNOWN,
    NearDuplicates,
    Relation,
    choose_groups,
    find_near_duplicates,
    find_repeats,
    group_sizes,
    known_groups,
    relation_of,
)
from tests.support.catalogues import naive_relation, repetitive_postings


def found_in(postings: list[Posting], distance: int = 4, examples: int = 5, seed: int = 0) -> NearDuplicates:
    hashes = parse_hashes([posting.image_phash for posting in postings])
    return find_near_duplicates(hashes, known_groups(postings), distance, examples, np.random.default_rng(seed))


def naive_pairs(postings: list[Posting], distance: int) -> dict[tuple[int, int], tuple[int, Relation]]:
    """Rows of each pair within the distance, with its distance and relation."""
    pairs = {}
    for (first, one), (second, other) in itertools.combinations(enumerate(postings), 2):
        if one.image_phash is not None and other.image_phash is not None:
            bits = (int(one.image_phash, 16) ^ int(other.image_phash, 16)).bit_count()
            if bits <= distance:
                pairs[first, second] = bits, naive_relation([one.label_group, other.label_group])
    return pairs


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("distance", [1, 4])
def test_it_counts_what_comparing_all_pairs_counts(seed: int, distance: int) -> None:
    postings = repetitive_postings(70, seed, unlabelled=(seed % 3) / 4)
    expected = np.zeros((distance + 1, len(Relation)), np.int64)
    for bits, relation in naive_pairs(postings, distance).values():
        expected[bits, relation] += 1
    assert expected[0].sum() > 0
    np.testing.assert_array_equal(found_in(postings, distance).pairs, expected)


@pytest.mark.parametrize("seed", range(6))
def test_examples_are_near_and_of_different_hashes(seed: int) -> None:
    postings = repetitive_postings(70, seed)
    pairs = naive_pairs(postings, 4)
    for relation, examples in found_in(postings).examples.items():
        kinds = {
            frozenset({postings[first].image_phash, postings[second].image_phash})
            for (first, second), (bits, related) in pairs.items()
            if bits > 0 and related == relation
        }
        shown = []
        for first, second in examples.tolist():
            bits, related = pairs[min(first, second), max(first, second)]
            assert bits > 0
            assert related == relation
            shown.append(frozenset({postings[first].image_phash, postings[second].image_phash}))
        assert len(shown) == len(set(shown)) == min(5, len(kinds))


def test_the_seed_draws_the_examples() -> None:
    postings = repetitive_postings(70, 0)
    one, same, other = (
        {name: rows.tolist() for name, rows in found_in(postings, seed=seed).examples.items()} for seed in (1, 1, 2)
    )
    assert one == same != other


@pytest.mark.parametrize("phash", [None, "0" * 16])
def test_a_single_posting_and_none_with_a_hash_have_no_pair(phash: str | None) -> None:
    found = found_in([Posting("p0", None, image_phash=phash)])
    assert found.pairs.tolist() == [[0, 0, 0]] * 5
    assert [rows.shape for rows in found.examples.values()] == [(0, 2)] * 3


def test_ten_thousand_equal_hashes_are_counted_without_pairs() -> None:
    postings = [
        Posting(f"p{row}", None, image_phash="0" * 15 + str(row % 2), label_group=str(row % 4)) for row in range(20_000)
    ]
    found = found_in(postings)
    # 5,000 postings of each of four groups; groups 0 and 2 have one hash, 1 and 3 the other, which is one bit away
    assert found.pairs[0].tolist() == [4 * 5_000 * 4_999 // 2, 2 * 5_000**2, 0]
    assert found.pairs[1].tolist() == [0, 4 * 5_000**2, 0]


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
def test_clashes_of_most_groups_come_first(seed: int) -> None:
    """Within each, no group comes twice before all have come once."""
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


def postings_of(*label_groups: str | None) -> list[Posting]:
    return [Posting(f"p{row}", None, label_group=group) for row, group in enumerate(label_groups)]


def test_groups_are_numbered_as_they_appear() -> None:
    assert known_groups(postings_of("b", None, "a", "b", None)).tolist() == [0, UNKNOWN, 1, 0, UNKNOWN]


def test_a_catalogue_without_groups_has_no_sizes() -> None:
    groups = known_groups(postings_of(None, None))
    assert groups.tolist() == [UNKNOWN, UNKNOWN]
    assert group_sizes(groups).tolist() == []


def test_the_size_of_a_group_is_how_many_postings_name_it() -> None:
    assert group_sizes(known_groups(postings_of("b", None, "a", "b", "b"))).tolist() == [3, 1]


@pytest.mark.parametrize("labels", list(itertools.product(["a", "b", None], repeat=3)))
def test_postings_are_related_as_their_groups_say(labels: tuple[str | None, ...]) -> None:
    assert relation_of(known_groups(postings_of(*labels))) == naive_relation(labels)


def sized(*sizes: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """The groups of a catalogue whose groups have these sizes."""
    return np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)


def test_chosen_groups_are_whole_and_the_biggest_comes_first() -> None:
    groups = np.random.default_rng(0).permutation(sized(2, 3, 7, 1, 5))
    chosen = choose_groups(groups, 4, np.random.default_rng(0))
    assert [len(rows) for rows in chosen] == [7, 5, 3, 2]
    for rows in chosen:
        np.testing.assert_array_equal(rows, np.flatnonzero(groups == groups[rows[0]]))


def test_groups_of_one_posting_and_postings_of_none_are_no_examples() -> None:
    assert choose_groups(sized(1, 1, 1), 8, np.random.default_rng(0)) == []
    assert choose_groups(np.full(3, UNKNOWN, np.int32), 8, np.random.default_rng(0)) == []


def test_groups_are_drawn_by_their_number_of_pairs() -> None:
    # one group of four, (4 - 1)² = 9, and nine pairs, 9 × (2 - 1)² = 9: each kind is drawn half of the time
    groups = sized(4, *[2] * 9)
    generator = np.random.default_rng(0)
    drawn = [len(choose_groups(groups, 1, generator)[0]) for _ in range(2000)]
    assert drawn.count(4) / len(drawn) == pytest.approx(0.5, abs=0.05)


def test_the_seed_chooses() -> None:
    groups = sized(*[3] * 200)
    one, same, other = (
        [rows.tolist() for rows in choose_groups(groups, 5, np.random.default_rng(seed))] for seed in (1, 1, 2)
    )
    assert one == same != other
