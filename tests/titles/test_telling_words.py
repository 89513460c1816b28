"""Which words are told of two titles."""

from collections.abc import Callable

import pytest

from pricematch.titles.telling_words import MOST_WORDS, told


def held(**counts: int) -> Callable[[str], int]:
    """How many titles hold a word, 100 for those not named."""
    return lambda word: counts.get(word, 100)


def test_the_rarest_words_are_told_first_and_only_some() -> None:
    left = right = "satu dua tiga empat lima"
    counts = held(lima=20, empat=30, tiga=40, dua=50)
    assert told(left, "lima empat tiga dua satu", counts, 1000, speaks_for=True) == (
        "titles share the words 'lima', 'empat', 'tiga'"
    )
    assert MOST_WORDS == 3
    assert told(left, right, counts, 1000, speaks_for=True) == "titles have the same words"


@pytest.mark.parametrize(
    ("size", "count", "rare"),
    [(1000, 5, True), (1000, 6, False), (10_000, 20, True), (10_000, 21, False), (20, 5, True), (19, 5, False)],
)
def test_words_are_rare_in_five_titles_or_one_of_500_but_never_in_a_quarter_of_all(
    size: int, count: int, rare: bool
) -> None:
    expected = f"titles share the {'rare ' if rare else ''}word 'payung'"
    assert told("payung kecil", "payung besar", held(payung=count), size, speaks_for=True) == expected


def test_beside_rare_words_common_ones_are_not_told() -> None:
    found = told("zebra payung kecil", "payung zebra besar", held(zebra=4), 10_000, speaks_for=True)
    assert found == "titles share the rare word 'zebra'"


def test_words_that_one_posting_has_for_itself_come_behind_all_others() -> None:
    counts = held(pyung=1, ember=0, batik=9)
    assert told("pyung lipat batik meja", "ember", counts, 1000, speaks_for=False) == "titles share no word"
    assert told("tas pyung lipat batik meja", "tas ember", counts, 1000, speaks_for=False) == (
        "titles differ: 'batik', 'lipat', 'meja' against 'ember'"
    )


def test_facts_and_single_letters_are_no_telling_words() -> None:
    assert told("a 500 ml SM-5 hitam", "a 500 ml hitam SM-5 9", held(), 1000, speaks_for=True) == (
        "titles share the word 'sm'"
    )
    assert told("a 500 ml hitam", "hitam 500 ml a", held(), 1000, speaks_for=True) is None
    assert told("tas hitam", "tas putih 5", held(), 1000, speaks_for=False) is None


@pytest.mark.parametrize("speaks_for", [True, False])
def test_nothing_is_told_where_a_title_has_no_word(speaks_for: bool) -> None:
    assert told("", "payung", held(), 1000, speaks_for=speaks_for) is None
    assert told("payung", "!!", held(), 1000, speaks_for=speaks_for) is None
