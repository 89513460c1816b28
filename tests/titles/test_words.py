"""Titles made alike."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.titles.sentences import differences
from pricematch.titles.statements import statements
from pricematch.titles.words import fold, words

NASTY = [
    "1" * 10_000,
    "1." * 5_000,
    "1x" * 4_999 + "1a",
    "1 x " * 2_500,
    "1-" * 4_999 + "a",
    "1/1a" * 2_500,
    "12ml" * 2_500,
    "9,9" * 3_000,
    "a1-" * 3_333,
    "s/" * 5_000,
    "xl - " * 2_000,
    "(x" * 5_000,
    "isi " * 2_500,
    "size " * 2_000,
    " " * 10_000,
    "é" * 10_000,
    "😀" * 10_000,
]


@pytest.mark.parametrize(
    "title",
    [
        "Susu Coklat 500 ML",
        "SUSU coklat, 500ml!!",
        "susu/coklat 0,5 Liter",
        "★ Susu ★ Coklat ★ 0.5L",
        "ｓｕｓｕ 𝐜𝐨𝐤𝐥𝐚𝐭 500cc",
    ],
)
def test_titles_that_differ_in_writing_only_are_normalised_to_the_same(title: str) -> None:
    assert words(title) == ["susu", "coklat", "500ml"]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("", []),
        ("!!! 😀 ***", []),
        ("007", ["007"]),
        ("L’Oréal", ["l", "oreal"]),
        ("Straße", ["strasse"]),
        ("Brand™ X®", ["brand", "x"]),
        ("SM-A515F", ["sm", "a", "515", "f"]),
        ("isi 3 x 2,5kg", ["isi", "3pcs", "2500g"]),
        ("sprei 180 x 200 cm", ["sprei", "180", "x", "200", "cm"]),
        ("قهوة 500 ml", ["قهوة", "500ml"]),
        ("コーヒー 豆", ["コーヒー", "豆"]),
    ],
)
def test_words_are_runs_of_letters_runs_of_digits_and_quantities(title: str, expected: list[str]) -> None:
    assert words(title) == expected


def test_letters_of_other_scripts_keep_their_marks() -> None:
    assert fold("кофейный й") == "кофейный й"


@given(st.text())
def test_any_text_has_words_without_blanks_and_facts(title: str) -> None:
    assert not any(word.isspace() or " " in word for word in words(title))
    statements(title)


@given(st.text(alphabet="0123456789xX.,-/ mlgrkcs%'\"()isa"))
def test_any_jumble_of_numbers_and_units_can_be_read(title: str) -> None:
    words(title)
    assert differences(title, title) == {}


@pytest.mark.parametrize("read", [words, statements])
@pytest.mark.parametrize("title", NASTY, ids=lambda title: repr(title[:8]))
def test_long_and_nasty_titles_take_time_in_proportion_to_their_length(
    title: str, read: Callable[[str], object]
) -> None:
    def seconds(text: str) -> float:
        before = time.process_time()
        read(text)
        return time.process_time() - before

    # a quadratic rule takes minutes for ten thousand characters or is a hundred times slower than for a thousand
    assert min(seconds(title) for _ in range(2)) < max(0.1, 40 * seconds(title[:1000]))
