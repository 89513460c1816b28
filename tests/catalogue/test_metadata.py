"""Metadata: what is let through, what it is equal to, and how it is merged."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.metadata import (
    MAX_NAME_CHARS,
    NO_METADATA,
    Metadata,
    MetadataLimits,
    merged_metadata,
    parse_metadata,
    read_metadata,
    stored_metadata,
)
from pricematch.errors import FieldInvalid

LIMITS = MetadataLimits(bytes=8192, depth=4, fields=64)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=".$"), min_size=1, max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)


def objects(depth: int) -> st.SearchStrategy[dict[str, Any]]:
    """Objects that nothing is wrong with."""
    inner: st.SearchStrategy[Any] = SCALARS | TEXTS
    if depth > 1:
        inner |= objects(depth - 1) | st.lists(SCALARS | TEXTS, max_size=3)
    return st.dictionaries(NAMES, inner, max_size=2)


def nested(depth: int) -> dict[str, Any]:
    """Objects within each other."""
    return {"a": nested(depth - 1) if depth > 1 else 1}


@given(objects(4))
def test_what_is_let_through_comes_back(value: dict[str, Any]) -> None:
    """As JSON and from its text, equal to the last digit; whole numbers are the same with and without a fraction."""
    metadata = parse_metadata(deepcopy(value), LIMITS)
    assert metadata.as_json() == value
    assert json.loads(metadata.text) == value
    again = stored_metadata(metadata.text)
    assert (again, hash(again), again.text) == (metadata, hash(metadata), metadata.text)
    assert read_metadata(json.dumps(value), LIMITS) == metadata


@given(objects(3), st.randoms())
def test_the_order_of_fields_is_none(value: dict[str, Any], random: Any) -> None:
    names = [*value]
    random.shuffle(names)
    assert parse_metadata({name: value[name] for name in names}, LIMITS) == parse_metadata(value, LIMITS)


def test_values_of_different_kinds_are_different() -> None:
    """True is not 1, and text that reads like a number is none; 12.0 is 12, as in JavaScript."""
    values: list[Any] = [1, True, "1", None, 0, False, "", [], {}, [1], 1.5, "true"]
    assert len({parse_metadata({"a": value}, LIMITS) for value in values}) == len(values)
    assert parse_metadata({"a": 12.0, "b": -0.0}, LIMITS) == parse_metadata({"a": 12, "b": 0}, LIMITS)


def test_metadata_cannot_be_changed() -> None:
    """Not by what it was made of, nor by what it gives."""
    value: dict[str, Any] = {"brand": {"name": "x"}, "tags": ["a"]}
    metadata = parse_metadata(value, LIMITS)
    value["brand"]["name"] = "y"
    value["tags"].append("b")
    metadata.as_json()["brand"]["name"] = "z"
    for fields in (metadata.fields, metadata.fields["brand"]):
        with pytest.raises(TypeError):
            fields["name"] = "w"  # type: ignore[index]
    assert metadata.text == '{"brand":{"name":"x"},"tags":["a"]}'
    assert metadata.fields["tags"] == ("a",)


def test_none_is_false() -> None:
    assert not NO_METADATA
    assert parse_metadata({}, LIMITS) is NO_METADATA is stored_metadata(None)
    assert parse_metadata({"a": None}, LIMITS)


WRONG: dict[str, tuple[object, str]] = {
    "a list": ([], r"metadata: expected a JSON object, got a list"),
    "text": ("x", r"metadata: expected a JSON object, got text"),
    "nothing": (None, r"metadata: expected a JSON object, got null"),
    "a number": (1, r"metadata: expected a JSON object, got a number"),
    "no name": ({"a": {"": 1}}, r"metadata\.a: expected names of fields, got an empty one"),
    "a dot": ({"a": {"b.c": 1}}, r"metadata\.a: expected names without a dot .*, got 'b\.c'"),
    "an operator": ({"$or": 1}, r"metadata: expected names .* not beginning with \$, got '\$or'"),
    "a line": ({"a\n": 1}, r"metadata: expected names without .* a control character, .*, got 'a\\n'"),
    "a long name": (
        {"x" * (MAX_NAME_CHARS + 1): 1},
        r"metadata: expected names of at most 100 characters, got one of 101",
    ),
    "a nul": ({"a": ["x", "\0"]}, r"metadata\.a\[1\]: expected text, got a character that is none"),
    "half a character": ({"a": "\ud800"}, r"metadata\.a: expected text, got a character that is none"),
    "not finite": ({"a": {"b": float("inf")}}, r"metadata\.a\.b: expected a finite number, got inf"),
    "no number": ({"a": float("nan")}, r"metadata\.a: expected a finite number, got nan"),
    "too large": (
        {"a": 2**53 + 1},
        r"metadata\.a: expected a whole number within ±2\^53, got a larger one; send it as text",
    ),
    "no JSON": ({"a": b""}, r"metadata\.a: expected a value of JSON, got bytes"),
    "deep": (nested(5), r"metadata\.a\.a\.a\.a: expected text, .*, got another object or list: too deep"),
    "deep lists": ({"a": [[[[1]]]]}, r"metadata\.a\[0\]\[0\]\[0\]: expected .*: too deep"),
    "many": ({f"f{n}": n for n in range(65)}, r"metadata: expected at most 64 fields in all objects, got 65"),
    "many within": (
        {f"f{n}": {"a": 1} for n in range(33)},
        r"metadata: expected at most 64 fields in all objects, got 66",
    ),
    "large": ({"a": "é" * 4096}, r"metadata: expected at most 8192 bytes of JSON, got 8200"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_by_its_path(name: str) -> None:
    value, expected = WRONG[name]
    with pytest.raises(FieldInvalid, match=f"^{expected}"):
        parse_metadata(value, LIMITS)


def test_what_is_just_right_is_let_through() -> None:
    """At every limit."""
    for value in (
        nested(4),
        {f"f{n}": n for n in range(64)},
        {f"f{n}": {"a": 1} for n in range(32)},
        {"a": "é" * 4092},
        {"x" * MAX_NAME_CHARS: [2**53, -(2**53)]},
    ):
        assert parse_metadata(value, LIMITS).as_json() == value
    assert len(parse_metadata({"a": "é" * 4092}, LIMITS).text.encode()) == LIMITS.bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "metadata: expected JSON, got ''"),
        ("{", "metadata: expected JSON, got '{'"),
        ('{"a": NaN}', r"metadata: expected JSON, .*NaN is no number of JSON"),
        ('{"a": -Infinity}', r"metadata: expected JSON, .*-Infinity is no number"),
        ('{"a": {"b": 1, "b": 2}}', "metadata: expected each name once in an object, got 'b' twice"),
        ("[" * 100_000, "metadata: expected JSON, got one that is nested too deeply"),
        ('{"a": ' + "1" * 5000 + "}", "metadata: expected JSON"),
        ('{"a": 1e999}', r"metadata\.a: expected a finite number, got inf"),
    ],
)
def test_text_that_is_no_json_is_refused(text: str, expected: str) -> None:
    with pytest.raises(FieldInvalid, match=f"^{expected}"):
        read_metadata(text, LIMITS)


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, None, {}),
        ({"a": 1}, {"b.c": None, "a": {"b": 2}}, {"a": {"b": 2}}),
    ],
)
def test_a_patch_is_merged_as_the_rfc_says(target: Any, patch: Any, expected: Any) -> None:
    """The examples of RFC 7396, appendix A, that are objects; and null for all of it."""
    metadata = parse_metadata(target, LIMITS)
    assert merged_metadata(metadata, patch, LIMITS) == parse_metadata(expected, LIMITS)
    assert metadata.as_json() == target


@given(objects(3), objects(3))
def test_a_patch_that_is_made_of_two_values_leads_from_one_to_the_other(before: Any, after: Any) -> None:
    """But for null, which a patch cannot say."""
    before, after = _without_null(before), _without_null(after)
    metadata = merged_metadata(parse_metadata(before, LIMITS), _patch(before, after), LIMITS)
    assert metadata.as_json() == after


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_null(inner) for name, inner in value.items() if inner is not None}
    return value


def _patch(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    patch: dict[str, Any] = dict.fromkeys(before.keys() - after.keys())
    for name, value in after.items():
        inner = before.get(name)
        if not isinstance(value, dict) or not isinstance(inner, dict):
            inner = {}
        patch[name] = _patch(inner, value) if isinstance(value, dict) else value
    return patch


@pytest.mark.parametrize("patch", [{"b": nested(4)}, {"x" * 101: 1}, [], "x", {f"f{n}": n for n in range(64)}])
def test_a_patch_that_makes_what_may_not_be_is_refused(patch: Any) -> None:
    with pytest.raises(FieldInvalid, match=r"^metadata(\.b\.a\.a\.a)?: expected"):
        merged_metadata(Metadata({"a": 1}), patch, LIMITS)
