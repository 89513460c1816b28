"""Label groups as people's files have them."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.labels import as_label, label_warnings, look_alikes, rounded, says_nothing, strip_blanks

NOTHING = """
nan NaN -nan NULL null None N/A n/a #N/A NA <NA> NaT - -- – — ? nil undefined (null) (blank) \\N
#VALUE! #REF! #NAME? 1.#QNAN
"""
BLANKS = [" ", "\t", "\u00a0", "\u2003", "\u3000", "\u202f", "\u200b", "\u200e", "\u2060", "\ufeff", "\x85", "\u2028"]


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
def test_blanks_around_a_label_are_no_part_of_it(blank: str) -> None:
    """Whatever blank of Unicode, and what takes no room (fault C12)."""
    assert as_label(f"{blank}18{blank}{blank}") == "18"
    assert as_label(blank) is None
    assert as_label(f"a{blank}b") == f"a{blank}b"


@pytest.mark.parametrize("text", ["", " NULL\u00a0", *NOTHING.split()])
def test_words_for_nothing_are_no_label(text: str) -> None:
    """As pandas, databases, spreadsheets and people write them, in any case (fault C12)."""
    assert as_label(text) is None


@pytest.mark.parametrize("text", ["0", "18", "nano", "Nancy", "none of these", "NA-1", "N", "no", "false", "é"])
def test_other_words_are_labels(text: str) -> None:
    assert as_label(text) == text
    assert not says_nothing(text)


def test_a_label_is_one_in_every_normal_form() -> None:
    """é of one character and of two are one label (fault C12)."""
    assert as_label("Cafe\u0301") == as_label("Café") == "Café"


@pytest.mark.parametrize(
    "text", ["2.49115E+11", "2,49115E+11", "2.49115e+11", "1E+05", "2.49114794E8", "-1.5E+10", "1e+21"]
)
def test_numbers_that_a_spreadsheet_rounded_are_warned_of(text: str) -> None:
    """They stand for many products, and the warning says on how many postings (fault C12)."""
    [warning] = label_warnings({text: 9, "249114794": 9, "a": 9})
    assert f"1 label on 9 postings read like numbers that a spreadsheet rounded ({text!r} 9)" in warning
    assert "format the column as text" in warning


@pytest.mark.parametrize("text", ["249114794", "12e45678", "1.5", "E+11", "a1E+11", "1.2.3", "18.0"])
def test_other_labels_are_not_taken_for_rounded_numbers(text: str) -> None:
    assert rounded({text: 1, "249114794": 1}) == {}


def test_long_numbers_that_all_end_in_zeros_are_rounded() -> None:
    """A spreadsheet keeps fifteen digits (fault C12)."""
    cut = {"249114794123456000": 2, "249114794123455000": 2}
    assert rounded(cut | {"18": 1}) == cut
    assert rounded(cut | {"249114794123456789": 1}) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *[
            ("18", "18.0"),
            ("18", "018"),
            ("18", "18,00"),
            ("18", "１８"),
            ("18", "١٨"),
            ("SKU-1", "sku-1"),
            ("A1", "А1"),
        ],
        *[("AO1", "A01"), ("Al1", "AI1"), ("a\u200bb", "ab"), ("a b", "a  b"), ("a b", "a\u00a0b"), ("a-b", "a–b")],
        *[("ﬁsh", "fish"), ("Straße", "STRASSE"), ("18", "18.0000")],
    ],
    ids=ascii,
)
def test_labels_that_look_alike_are_warned_of(one: str, other: str) -> None:
    """A person takes them for one, the program for two (fault C12)."""
    [warning] = label_warnings({one: 3, other: 2, "quite another": 5})
    assert f"2 labels look like another, and count as different products ({one!r} 3 and {other!r} 2)" in warning


@pytest.mark.parametrize(
    ("one", "other"),
    [("18", "81"), ("1-18", "11-8"), ("1.8", "18"), ("red", "blue"), ("180", "18"), ("oil", "011"), ("a", "ä")],
)
def test_labels_that_differ_to_the_eye_are_not_warned_of(one: str, other: str) -> None:
    assert look_alikes({one: 1, other: 1}) == []


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({"unknown": 40, "a": 2}, "1 label on 40 postings read like words for no product ('unknown' 40)"),
        ({"-1": 9, "a": 2}, "read like words for no product ('-1' 9)"),
        ({"1-Mar": 2, "a": 2}, "1 label on 2 postings read like dates that a spreadsheet made"),
        ({"Sep 2": 1, "2. Okt": 2, "a": 2}, "2 labels on 3 postings read like dates"),
        ({"a": 1, "b": 1, "c": 1}, "no two of 3 postings with a label share one"),
        ({"a": 7}, "all 7 postings with a label have the same one"),
        ({"a": 300, "b": 3, "c": 2, "d": 2}, "the label 'a' is on 300 postings, the next on 3"),
    ],
)
def test_labels_that_name_no_product_are_warned_of(labels: dict[str, int], told: str) -> None:
    """Placeholders, dates, the posting's own id, one label for all (fault C12)."""
    assert told in " ".join(label_warnings(labels))


@pytest.mark.parametrize("labels", [{}, {"a": 1}, {"249114794": 2, "249114795": 3, "0": 4}, {"a": 51, "b": 20, "c": 2}])
def test_sound_labels_are_not_warned_of(labels: dict[str, int]) -> None:
    assert label_warnings(labels) == []


@given(st.dictionaries(st.text(max_size=12), st.integers(1, 99), max_size=8))
def test_whatever_labels_are_a_warning_is_one_short_line(labels: dict[str, int]) -> None:
    for warning in label_warnings(Counter(labels)):
        assert len(warning) < 600
        assert warning.isprintable()
    assert all(strip_blanks(text) == strip_blanks(strip_blanks(text)) for text in labels)
