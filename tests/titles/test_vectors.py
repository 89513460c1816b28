"""Titles as weighted words, against the weights computed word by word."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.search.candidates import NOBODY
from pricematch.titles import vectors as module
from pricematch.titles.vectors import nearest_titles, title_vectors

TITLES = st.lists(
    st.lists(st.sampled_from(["Kopi", "KOPI", "teh", "500", "500ml", "ml", "café", "!", ""]), max_size=4).map(" ".join),
    max_size=12,
)


def naive_words(title: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+|\d+", title.lower()))


def naive_cosine(titles: list[str], first: int, second: int) -> float:
    """The cosine of two titles' words, each weighted by how rare it is."""

    def weight(word: str) -> float:
        return 1 + math.log((1 + len(titles)) / (1 + sum(word in naive_words(title) for title in titles)))

    one, other = naive_words(titles[first]), naive_words(titles[second])
    if not one & other:
        return 0.0
    lengths = [math.sqrt(sum(weight(word) ** 2 for word in words)) for words in (one, other)]
    return sum(weight(word) ** 2 for word in one & other) / (lengths[0] * lengths[1])


@pytest.mark.parametrize("block_pairs", [1, 30, 1 << 22])
@given(titles=TITLES, count=st.integers(1, 4))
def test_candidates_are_the_titles_of_the_highest_cosine_above_zero(
    titles: list[str], count: int, block_pairs: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_PAIRS", block_pairs)
        found = nearest_titles(titles, count)
    assert found.rows.shape == (len(titles), count)
    for line in range(len(titles)):
        cosines = {row: naive_cosine(titles, line, row) for row in range(len(titles)) if row != line}
        expected = sorted((-round(value, 9), row) for row, value in cosines.items() if value > 0)[:count]
        rows = found.rows[line][found.rows[line] != NOBODY]
        assert rows.tolist() == [row for _, row in expected]
        np.testing.assert_allclose(found.similarities[line][: len(rows)], [-value for value, _ in expected], atol=1e-8)
        assert (found.similarities[line][len(rows) :] == -np.inf).all()


def test_equal_titles_have_a_similarity_of_exactly_one_and_the_lower_row_first() -> None:
    found = nearest_titles(["tas kulit murah", "kopi", "Tas Kulit, murah!", "tas kulit murah"], 2)
    assert found.rows[0].tolist() == [2, 3]
    assert found.similarities[0].tolist() == [1, 1]


def test_numbers_and_words_are_told_apart_without_a_space() -> None:
    assert nearest_titles(["sabun 500ml", "SABUN 500 ml"], 1).similarities.tolist() == [[1], [1]]


def test_titles_without_a_word_have_no_candidates_and_are_none() -> None:
    assert (nearest_titles(["", "!!!", "kopi"], 2).rows == NOBODY).all()
    assert (nearest_titles(["", ""], 2).rows == NOBODY).all()
    assert nearest_titles([], 2).rows.shape == (0, 2)


def test_vectors_are_of_unit_length_or_zero() -> None:
    vectors = title_vectors(["kopi kopi teh", "", "teh"]).toarray()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), [1, 0, 1])
