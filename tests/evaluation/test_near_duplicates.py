"""Near-duplicates, against comparing all pairs of postings."""

import itertools

import numpy as np
import pytest

from pricematch.catalogue.features import parse_hashes
from pricematch.catalogue.postings import Posting
from pricematch.evaluation.groups import Relation, known_groups
from pricematch.evaluation.near_duplicates import NearDuplicates, find_near_duplicates
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
def test_examples_are_near_have_their_relation_and_are_of_different_hashes_each(seed: int) -> None:
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


def test_ten_thousand_postings_of_one_hash_are_counted_without_listing_their_pairs() -> None:
    postings = [
        Posting(f"p{row}", None, image_phash="0" * 15 + str(row % 2), label_group=str(row % 4)) for row in range(20_000)
    ]
    found = found_in(postings)
    # 5,000 postings of each of four groups; groups 0 and 2 have one hash, 1 and 3 the other, which is one bit away
    assert found.pairs[0].tolist() == [4 * 5_000 * 4_999 // 2, 2 * 5_000**2, 0]
    assert found.pairs[1].tolist() == [0, 4 * 5_000**2, 0]
