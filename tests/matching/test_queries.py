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
