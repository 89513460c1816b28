"""The answer to a query."""

import pytest

from pricematch.matching.queries import Match, Matches

A, B, C = Match("a", 0.9), Match("b", 0.5), Match("c", 0.5)


def test_matches_keep_their_order_and_can_be_counted_and_indexed() -> None:
    matches = Matches([A, B, C])
    assert list(matches) == [A, B, C]
    assert len(matches) == 3
    assert matches[1] == B


def test_ascending_similarities_are_refused() -> None:
    with pytest.raises(ValueError, match="descending"):
        Matches([B, A])


@pytest.mark.parametrize("similarity", [1.01, -1.01, float("nan"), float("inf")])
def test_a_similarity_that_no_cosine_can_have_is_refused(similarity: float) -> None:
    with pytest.raises(ValueError, match="−1…1"):
        Matches([Match("a", similarity)])


def test_a_posting_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="once"):
        Matches([A, Match("a", 0.1)])


def test_without_leaves_one_posting_out_and_the_original_unchanged() -> None:
    matches = Matches([A, B, C])
    assert list(matches.without("b")) == [A, C]
    assert list(matches.without("z")) == [A, B, C]
    assert len(matches) == 3


def test_at_least_includes_the_limit_itself() -> None:
    assert list(Matches([A, B, C]).at_least(0.5)) == [A, B, C]
    assert list(Matches([A, B, C]).at_least(0.51)) == [A]


def test_top_takes_the_first_or_all_there_are() -> None:
    assert list(Matches([A, B, C]).top(2)) == [A, B]
    assert list(Matches([A]).top(2)) == [A]
    assert list(Matches([]).top(2)) == []
