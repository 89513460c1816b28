"""Titles with entities, escapes, tags and mojibake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.titles.escapes import unescaped
from pricematch.titles.normalise import parse_title


@pytest.mark.parametrize(
    "title",
    [
        "Nescaf&eacute; 24&quot;",
        "NESCAF&EACUTE; 24&QUOT;",
        "Nescaf&amp;eacute; 24&amp;quot;",
        "Nescaf&amp;amp;amp;amp;amp;amp;amp;amp;amp;amp;eacute; 24&#38;quot;",
        "Nescaf&#233; 24&#34;",
        "Nescaf&#xE9; 24&#x22;",
        "Nescaf&#x00e9; 24&#034;",
        "Nescaf&eacute 24&quot",
        "Nescaf&#x26;#233; 24&quot;",
        r"Nescaf\u00e9 24\u0022",
        "Nescaf%C3%A9 24&quot;",
        "NescafÃ© 24&quot;",
        "Nescaf&Atilde;&copy; 24&quot;",
        "<b>Nescaf&eacute;</b><br/>24&quot;",
        '&lt;span class="x"&gt;Nescaf&eacute;&lt;/span&gt;&nbsp;24&quot;',
        "Nescafe\u0301 24″",
    ],
)
def test_escapes_are_read_as_what_they_stand_for(title: str) -> None:
    """Entities, however often encoded, escapes of JSON and URLs, tags and mojibake are plain text (fault C3)."""
    assert parse_title(title).words == parse_title('Nescafé 24"').words
    assert parse_title(title).attributes == parse_title('Nescafé 24"').attributes


@pytest.mark.parametrize(
    "title",
    [
        "AT&T H&M R&D B&W",
        "a&copy=1&reg=2",
        "black&notebook mouse&regular",
        "&unheardof; &;  &# &#x; &#1 hit",
        "&#xD800; &#x110000; &#9999999;",
        r"50\xff C:\user \u12",
        r"\ud83d alone",
        "50%off 100%C 20%C3",
        "diskon 50%20 ribu 100%25 cotton",
        "70%80%90 10%20%30",
        "1 < 2 > 0 <asiutong2> <3",
        "LÃ PURA Ão Ä€",
    ],
)
def test_what_is_no_escape_stays(title: str) -> None:
    """Ampersands of names, parameters, ranks and other signs are no escapes (fault C3)."""
    assert unescaped(title) == title


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("&#146;", "’"),
        ("&#10;&#9;", "  "),
        (r"\ud83d\ude00", "😀"),
        ("&lt;3", "<3"),
        ("&CounterClockwiseContourIntegral;", "∳"),
    ],
)
def test_single_escapes(title: str, plain: str) -> None:
    """Bytes of Windows, ends of lines, surrogate pairs and long names (fault C3)."""
    assert unescaped(title) == plain


@pytest.mark.parametrize(
    "title",
    [
        "Kopi%20Susu%2C%20200%20ml%20%28100%25%29",
        "Kopi%2520Susu%252C%2520200%2520ml%2520%2528100%2525%2529",
        "Kopi%20Susu%2c%20200%20ml (100%)",
        "Kopi+Susu%2C+200+ml+%28100%25%29",
        f"Kopi%{'25' * 20}20Susu%20200%20ml%20100%25",
    ],
)
def test_percent_encoded_titles_are_decoded(title: str) -> None:
    """Blanks and signs of URLs are decoded, percentages stay (fault C3)."""
    assert parse_title(title).words == ("kopi", "susu", "200ml", "100%")


@given(st.text() | st.text(alphabet="&#x;amplgtquoeacut0123456789ABE9<>b/\\u %C3©Ãé%25%20"))
def test_decoded_titles_stay(title: str) -> None:
    """No text is refused, and what is decoded is decoded to its end (fault C3)."""
    assert unescaped(unescaped(title)) == unescaped(title)


def test_parsed_text_is_decoded() -> None:
    """A title's length is that of what it says; the stored one is another matter."""
    assert parse_title("Nescaf&eacute;").text == "Nescafé"


def test_escapes_within_escapes_of_another_kind_are_decoded() -> None:
    """What one decoding leaves is decoded again: an entity behind an escape of JSON, a tag behind two (fault C3)."""
    assert unescaped(r"Nescaf\u0026eacute;") == "Nescafé"
    assert unescaped(r"\u0026lt;b\u0026gt;24\u0026quot;") == ' 24"'
