"""Label groups as numbers, and examples of them."""

import itertools

import numpy as np
import pytest

from pricematch.catalogue.postings import Posting
from pricematch.evaluation.groups import UNKNOWN, choose_groups, group_sizes, known_groups, relation_of
from tests.support.catalogues import naive_relation


def postings_of(*label_groups: str | None) -> list[Posting]:
    return [Posting(f"p{row}", None, label_group=group) for row, group in enumerate(label_groups)]


def test_groups_are_numbered_as_they_appear_and_what_has_none_is_unknown() -> None:
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


def test_a_group_is_drawn_by_the_square_of_its_size_less_one() -> None:
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
