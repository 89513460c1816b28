"""The short form of filters, beside the same in JSON."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.filter_json import as_json, filter_of_json
from pricematch.catalogue.filter_text import read_filter
from pricematch.catalogue.filters import Filter
from pricematch.errors import FilterInvalid

ROOM = 4096


def read(text: str) -> Filter:
    return read_filter(text, ROOM)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("seller=acme", {"seller": "acme"}),
        ("seller!=acme", {"not": {"seller": "acme"}}),
        ("brand=acme|other", {"brand": {"in": ["acme", "other"]}}),
        ("price=10..20", {"price": {"gte": 10, "lte": 20}}),
        ("price!=10..", {"not": {"price": {"gte": 10}}}),
        ("price=..-2.5e1", {"price": {"lte": -25}}),
        ("since=2024-01-01..2024-12-31", {"since": {"gte": "2024-01-01", "lte": "2024-12-31"}}),
        ('size="38".."40"', {"size": {"gte": "38", "lte": "40"}}),
        ("size=38..L", {"size": {"gte": "38", "lte": "L"}}),
        ("colour", {"colour": {"exists": True}}),
        ("!colour", {"not": {"colour": {"exists": True}}}),
        ("size=38", {"size": {"in": ["38", 38]}}),
        ("size=038", {"size": "038"}),
        ("new=true", {"new": {"in": ["true", True]}}),
        ('new="true"', {"new": "true"}),
        ('title="a;b|c\\"d.."', {"title": 'a;b|c"d..'}),
        ('a=""', {"a": ""}),
        (" seller = big shop ; size.eu = 38 | XL ;!x", None),
        ('"we=ird;name"=1', {"we=ird;name": {"in": ["1", 1]}}),
        ("$posting_id=a|b", {"$posting_id": {"in": ["a", "b"]}}),
        ("url=a=b!c", {"url": "a=b!c"}),
        (' {"seller": "acme"}', {"seller": "acme"}),
    ],
)
def test_the_short_form_is_json_in_few_words(text: str, given: dict[str, Any] | None) -> None:
    if given is None:
        given = {
            "seller": "big shop",
            "size.eu": {"in": ["38", 38, "XL"]},
            "not": {"x": {"exists": True}},
        }
    assert read(text) == filter_of_json(given)


_NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda it: all(it.split(".")) and it not in {"and", "or", "not"} and not it.startswith("$")
)
_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_NUMBERS = st.one_of(st.integers(-(10**6), 10**6), st.floats(allow_nan=False, allow_infinity=False))


@st.composite
def conditions(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A condition in the short form, texts quoted, and in JSON."""
    name = draw(_NAMES)
    shown, denied = json.dumps(name, ensure_ascii=draw(st.booleans())), draw(st.booleans())
    kind = draw(st.sampled_from(["texts", "numbers", "range", "there"]))
    test: dict[str, Any]
    if kind == "there":
        text, test = "", {"exists": True}
    elif kind == "range":
        low, high = sorted(draw(st.tuples(_NUMBERS, _NUMBERS)))
        text, test = f"={low}..{high}", {"gte": low, "lte": high}
    elif kind == "numbers":
        values = draw(st.lists(_NUMBERS, min_size=1, max_size=3))
        text = "=" + "|".join(map(str, values))
        test = {"in": [it for value in values for it in (str(value), value)]}
    else:
        texts = draw(st.lists(_TEXTS, min_size=1, max_size=3))
        text, test = "=" + " | ".join(map(json.dumps, texts)), {"in": texts}
    if not denied:
        return shown + text, {name: test}
    return f"!{shown}" if kind == "there" else f"{shown}!{text}", {"not": {name: test}}


@given(st.lists(conditions(), min_size=1, max_size=4))
def test_both_forms_are_the_same_filter(each: list[tuple[str, dict[str, Any]]]) -> None:
    parts = [part for _, part in each]
    expected = filter_of_json(parts[0] if len(parts) == 1 else {"and": parts})
    assert read_filter(";".join(text for text, _ in each), 10 * ROOM) == expected


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    with suppress(FilterInvalid):
        assert as_json(read(text))


@pytest.mark.parametrize(
    ("text", "character", "expected"),
    [
        ("", 1, "the name of a field, got the end"),
        ("=1", 1, "the name of a field, got '=1'"),
        ("a=", 3, "a value, got the end"),
        ("a=1|", 5, "a value, got the end"),
        ("a=1;", 5, "the name of a field"),
        ("a=;b", 3, "a value, got ';b'"),
        ("a=..", 5, "where the range begins or ends"),
        ('a="b', 3, "a text of JSON"),
        ('a="b"c', 6, "; or the end, got 'c'"),
        ("a..b=1", 1, "names with dots between"),
        ("x=1;$title=1", 5, "$posting_id or $label_group"),
        ("or=1", 1, "which no field can be asked by"),
        ("a=1|2..3", 6, "; or the end, got '..3'"),
        ('a="\\ud800"', 3, "of characters only"),
        ("a=\ud800", 3, "expected text"),
    ],
)
def test_what_is_refused_names_the_character(text: str, character: int, expected: str) -> None:
    with pytest.raises(FilterInvalid) as refused:
        read(text)
    assert f"filter, character {character}: expected" in str(refused.value)
    assert expected in str(refused.value)


def test_bytes_are_bounded_in_either_form() -> None:
    fits = "a=" + "é" * 5
    assert read_filter(fits, 12) == read(fits)
    with pytest.raises(FilterInvalid, match="at most 11 bytes, got 12"):
        read_filter(fits, 11)
    with pytest.raises(FilterInvalid, match="at most 9 bytes, got 10"):
        read_filter({"a": "bc"}, 9)
