"""Titles that hold Python's way of printing bytes."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pricematch.catalogue.titles import decode_byte_escapes


@given(st.text())
def test_text_without_escapes_and_wrapper_is_unchanged(title: str) -> None:
    assume("\\" not in title)
    assume(not title.startswith(("b'", 'b"')))
    assert decode_byte_escapes(title) == title


@given(st.text())
def test_a_printed_bytes_literal_becomes_the_text_it_was(title: str) -> None:
    assert decode_byte_escapes(repr(title.encode("utf-8"))) == title


@given(st.text())
def test_a_bytes_literal_that_lost_its_wrapper_becomes_the_text_it_was(title: str) -> None:
    assume(not title.startswith("b"))
    assert decode_byte_escapes(repr(title.encode("utf-8"))[2:-1]) == title


@pytest.mark.parametrize(
    ("title", "meaning"),
    [
        ("", ""),
        (r"Nescafe \xc3\x89clair Latte", "Nescafe Éclair Latte"),
        (r"Nescafe \xC3\x89clair", "Nescafe Éclair"),
        ('b"L\'Oreal"', "L'Oreal"),
        ("b'say \"hi\"'", 'say "hi"'),
        (r"""b"a \xf0\x9f\x98\x80 b" """.strip(), "a 😀 b"),
        (r"one\ntwo\tthree", "one\ntwo\tthree"),
        (r"back\\slash", r"back\slash"),
    ],
)
def test_escapes_become_what_the_bytes_mean(title: str, meaning: str) -> None:
    assert decode_byte_escapes(title) == meaning


@pytest.mark.parametrize("title", [r"50\xff", r"caf\xe9", r"cut \xc3", r"b'\xff'", r"Éclair \xff"])
def test_escapes_that_are_no_utf8_stay_as_they_are(title: str) -> None:
    assert decode_byte_escapes(title) == title


@pytest.mark.parametrize("title", [r"\xg0", r"\x1", "\\", "b'", 'b"a', "b'a\"", "bottle 'x'"])
def test_what_only_resembles_an_escape_or_a_wrapper_stays(title: str) -> None:
    assert decode_byte_escapes(title) == title
