"""Filters: their form in JSON, what they hold of, and what is refused."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricematch.catalogue.filter_json import as_json, filter_of_json, read_json_filter
from pricematch.catalogue.filters import (
    MAX_CONDITIONS,
    MAX_DEPTH,
    Every,
    Filter,
    Has,
    Not,
    OneOf,
    holds,
    value_of,
    values_at,
)
from pricematch.errors import FilterInvalid
from tests.support.filters import json_filters, metadata, naive_holds


def held(condition: Filter, fields: Mapping[str, Any]) -> bool:
    return holds(condition, lambda name: tuple(values_at(fields, name.split("."))))


@given(json_filters(), st.lists(metadata(), min_size=1, max_size=8))
def test_a_filter_holds_as_a_naive_reading_of_its_json_says(given: Mapping[str, Any], each: list[Any]) -> None:
    """Of any metadata, also of lists, of objects within lists, and of fields that are not there."""
    condition = filter_of_json(given)
    assert [held(condition, fields) for fields in each] == [naive_holds(given, fields) for fields in each]


@given(json_filters())
def test_a_filter_survives_json(given: Mapping[str, Any]) -> None:
    condition = filter_of_json(given)
    assert filter_of_json(as_json(condition)) == condition
    assert read_json_filter(json.dumps(given)) == condition


@pytest.mark.parametrize(
    ("given", "fields", "expected"),
    [
        ({"size": 38}, {"size": "38"}, False),
        ({"size": 38}, {"size": 38.0}, True),
        ({"new": True}, {"new": 1}, False),
        ({"new": 1}, {"new": True}, False),
        ({"size": {"gte": "38"}}, {"size": 40}, False),
        ({"size": {"gte": 38, "lt": 40}}, {"size": [30, 50]}, False),  # one element, not two
        ({"tags": {"in": ["a", "b"]}}, {"tags": ["x", ["b"]]}, True),
        ({"brand": {"exists": True}}, {"brand": None}, False),
        ({"brand": {"exists": True}}, {"brand": []}, False),
        ({"brand": {"exists": True}}, {"brand": {}}, True),
        ({"brand.name": "lg"}, {"brand": [{"name": "lg"}]}, True),
        ({"not": {"price": {"lt": 10}}}, {}, True),
        ({}, {}, True),
        ({"and": []}, {}, True),
        ({"or": []}, {}, False),
        ({"brand": {"in": []}}, {"brand": "lg"}, False),
        ({"a": 1, "b": 2}, {"a": 1}, False),
    ],
)
def test_types_and_lists(given: Mapping[str, Any], fields: Mapping[str, Any], expected: bool) -> None:
    assert held(filter_of_json(given), fields) is expected
    assert naive_holds(given, fields) is expected


def test_filters_of_values_of_other_types_differ() -> None:
    """Or a cache would answer one with what it has of the other, since 1 == True in Python."""
    one, other, text = (Has("new", OneOf((value_of(value),))) for value in (1, True, "1"))
    assert len({one, other, text}) == 3


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ('{"a": 1', "character 8", "expected JSON"),
        ('{"a": {"b": 1}}', "filter.a:", "in, gte, gt, lte, lt, exists, got 'b'"),
        ('{"a": {}}', "filter.a:", "got 'an empty object'"),
        ('{"and": [{"a": 1}, {"b": [1]}]}', "filter.and[1].b:", 'ask for {"in": […]}'),
        ('{"a": null}', "filter.a:", 'ask for {"exists": false}'),
        ('{"or": {"a": 1}}', "filter.or:", "expected a list of filters, got an object"),
        ('{"not": [1]}', "filter.not:", "expected an object, got a list"),
        ('{"a": {"in": "b"}}', "filter.a.in:", 'expected a list of values, got "b"'),
        ('{"a": {"in": [1, {}]}}', "filter.a.in[1]:", "got an object"),
        ('{"a": {"gte": 1, "gt": 2}}', "filter.a:", "expected gt or gte, got both"),
        ('{"a": {"gte": 1, "lt": "2"}}', "filter.a:", "got a number and a text"),
        ('{"a": {"gte": true}}', "filter.a:", "expected a number or a text to begin or end with, got true"),
        ('{"a": {"exists": 1}}', "filter.a.exists:", "expected true or false, got 1"),
        ('{"a": 1, "a": 2}', "filter:", "got 'a' twice"),
        ('{"a..b": 1}', "filter.a..b:", "names with dots between"),
        ('{"": 1}', "filter.:", "the name of a field"),
        ('{"$title": 1}', "filter.$title:", "expected $posting_id or $label_group"),
        ('{"a": 1e999}', "filter.a:", "expected a finite number"),
        ('{"a": NaN}', "filter.a:", "expected a finite number"),
        ('{"a": "\\ud800"}', "filter.a:", "a character that is none"),
        ('{"\\ud800": 1}', "filter.?:", "the name of a field"),
        ("[1]", "filter:", "expected an object, got a list"),
        ("[" * 100_000, "filter", "expected"),
        ('{"a":' * 4000, "filter", "expected"),
    ],
)
def test_what_is_refused_names_its_place(text: str, place: str, expected: str) -> None:
    with pytest.raises(FilterInvalid) as refused:
        read_json_filter(text)
    assert place in str(refused.value)
    assert expected in str(refused.value)
    assert len(str(refused.value).encode()) < 300


def test_levels_and_conditions_are_bounded() -> None:
    def nested(levels: int) -> dict[str, Any]:
        return {"a": 1} if not levels else {"not": nested(levels - 1)}

    filter_of_json(nested(MAX_DEPTH))
    with pytest.raises(FilterInvalid, match=f"at most {MAX_DEPTH} levels"):
        filter_of_json(nested(MAX_DEPTH + 1))
    many: Sequence[Any] = [{"a": number} for number in range(MAX_CONDITIONS)]
    filter_of_json({"or": many})
    with pytest.raises(FilterInvalid, match=f"at most {MAX_CONDITIONS} conditions, got {MAX_CONDITIONS + 1}"):
        filter_of_json({"or": many, "b": 1})


def test_several_fields_are_all_meant() -> None:
    one, other = (Has(name, OneOf((value_of(1),))) for name in ("a", "b"))
    assert filter_of_json({"a": 1, "b": 1}) == filter_of_json({"and": [{"a": 1}, {"b": 1}]}) == Every((one, other))
    assert filter_of_json({"a": {"exists": False}}) == Not(filter_of_json({"a": {"exists": True}}))
