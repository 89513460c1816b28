"""Titles normalised: folding, words, runs."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.titles.explanation import differences
from pricematch.titles.normalise import fold, parse_title, parse_titles

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
def test_writing_does_not_matter(title: str) -> None:
    """Titles that differ in case, punctuation, letter forms and units only have the same words."""
    assert parse_title(title).words == ("susu", "coklat", "500ml")


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
def test_words_are_letters_digits_and_quantities(title: str, expected: list[str]) -> None:
    """A word is a run of letters, a run of digits, or a quantity in its base unit."""
    assert list(parse_title(title).words) == expected


def test_runs_keep_quantities_as_written() -> None:
    """Runs are the same letters and digits without any unit conversion."""
    assert parse_title("LATTE 0,22 liter").runs == ("latte", "0", "22", "liter")


def test_other_scripts_keep_their_marks() -> None:
    """Only Latin letters lose their accents."""
    assert fold("кофейный й") == "кофейный й"


def test_a_title_is_folded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words, runs and attributes are read from one folded text."""
    folded: list[str] = []

    def counting(title: str) -> str:
        folded.append(title)
        return fold(title)

    monkeypatch.setattr("pricematch.titles.normalise.fold", counting)
    texts = ["Kopi 200 ml", "Teh isi 3"]
    assert [title.text for title in parse_titles(texts)] == folded == texts


@given(st.text())
def test_any_text_is_parsed(title: str) -> None:
    """No text is refused, and no word has a blank in it."""
    assert not any(word.isspace() or " " in word or not word for word in parse_title(title).words)


@given(st.text(alphabet="0123456789xX.,-/ mlgrkcs%'\"()isa"))
def test_any_jumble_of_quantities_is_parsed(title: str) -> None:
    """Numbers and units in any order are read, and a title does not contradict itself."""
    parsed = parse_title(title)
    assert differences(parsed, parsed) == {}


@pytest.mark.parametrize("title", NASTY, ids=lambda title: repr(title[:8]))
def test_parsing_takes_linear_time(title: str) -> None:
    """A quadratic rule would take a hundred times as long for ten thousand characters as for a thousand."""

    def seconds(text: str) -> float:
        before = time.process_time()
        parse_title(text)
        return time.process_time() - before

    assert min(seconds(title) for _ in range(2)) < max(0.1, 40 * seconds(title[:1000]))
