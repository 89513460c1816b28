"""The form of filters in JSON."""

import json
import math
from collections.abc import Mapping
from typing import Any

from pricematch.catalogue.filters import (
    MAX_DEPTH,
    NO_TEXT,
    OPERATORS,
    Either,
    Every,
    Filter,
    Has,
    Not,
    OneOf,
    Present,
    Range,
    Test,
    Value,
    check_size,
    field_path,
    range_of,
    value_of,
)
from pricematch.errors import FilterInvalid

_BOUNDS: Mapping[str, tuple[str, bool]] = {
    "gte": ("low", True),
    "gt": ("low", False),
    "lte": ("high", True),
    "lt": ("high", False),
}
_TESTS = ("in", *_BOUNDS, "exists")
_SHOWN = 60


def as_json(condition: Filter) -> dict[str, Any]:
    """A filter as JSON has it; the inverse of `filter_of_json`."""
    match condition:
        case Every(parts):
            return {"and": [as_json(part) for part in parts]}
        case Either(parts):
            return {"or": [as_json(part) for part in parts]}
        case Not(part):
            return {"not": as_json(part)}
        case Has(field, test):
            return {field: _test_as_json(test)}


def _test_as_json(test: Test) -> Any:
    match test:
        case OneOf((value,)):
            return value.value
        case OneOf(values):
            return {"in": [value.value for value in values]}
        case Range(low, high, with_low, with_high):
            ends = {} if low is None else {"gte" if with_low else "gt": low.value}
            return ends | ({} if high is None else {"lte" if with_high else "lt": high.value})
        case Present():
            return {"exists": True}


def read_json_filter(text: str) -> Filter:
    """The filter of a JSON text; raises FilterInvalid, which names the character, or the path within."""

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise FilterInvalid(f"filter: expected each name once in an object, got {twice[:_SHOWN]!r} twice")
        return found

    try:
        value = json.loads(text, object_pairs_hook=distinct, parse_int=float)
    except RecursionError:
        raise FilterInvalid(f"filter: expected at most {MAX_DEPTH} levels, got more") from None
    except json.JSONDecodeError as error:
        raise FilterInvalid(f"filter, character {error.pos + 1}: expected JSON, got none ({error.msg})") from None
    return filter_of_json(value)


def filter_of_json(value: object) -> Filter:
    """The filter of a value of JSON; raises FilterInvalid, which names the path within it."""
    found = _condition(value, "filter", MAX_DEPTH)
    check_size(found)
    return found


def _condition(value: object, place: str, depth: int) -> Filter:
    """The filter of a value of JSON, with so many levels left."""
    if not isinstance(value, dict):
        raise FilterInvalid(f"{place}: expected an object, got {_shown(value)}")
    named = ((name, inner, f"{place}.{NO_TEXT.sub('?', name[:_SHOWN])}") for name, inner in value.items())
    parts = tuple(_part(name, inner, where, depth) for name, inner, where in named)
    return parts[0] if len(parts) == 1 else Every(parts)


def _part(name: str, value: Any, place: str, depth: int) -> Filter:
    if name not in OPERATORS:
        return _tested(field_path(name, place), value, place)
    if depth == 0:
        raise FilterInvalid(f"{place}: expected at most {MAX_DEPTH} levels, got more")
    if name == "not":
        return Not(_condition(value, place, depth - 1))
    if not isinstance(value, list):
        raise FilterInvalid(f"{place}: expected a list of filters, got {_shown(value)}")
    parts = tuple(_condition(inner, f"{place}[{number}]", depth - 1) for number, inner in enumerate(value))
    return Every(parts) if name == "and" else Either(parts)


def _tested(field: str, value: Any, place: str) -> Filter:
    """What a filter says of one field."""
    if not isinstance(value, dict):
        return Has(field, OneOf((_scalar(value, place),)))
    if not value or not value.keys() <= set(_TESTS):
        got = next((name for name in value if name not in _TESTS), "an empty object")
        raise FilterInvalid(f"{place}: expected a value, or an object of {', '.join(_TESTS)}, got {got[:_SHOWN]!r}")
    parts = list[Filter]()
    if "in" in value:
        if not isinstance(value["in"], list):
            raise FilterInvalid(f"{place}.in: expected a list of values, got {_shown(value['in'])}")
        each = (_scalar(it, f"{place}.in[{number}]") for number, it in enumerate(value["in"]))
        parts.append(Has(field, OneOf(tuple(dict.fromkeys(each)))))
    if value.keys() & _BOUNDS.keys():
        parts.append(Has(field, _range(value, place)))
    if "exists" in value:
        if not isinstance(value["exists"], bool):
            raise FilterInvalid(f"{place}.exists: expected true or false, got {_shown(value['exists'])}")
        there = Has(field, Present())
        parts.append(there if value["exists"] else Not(there))
    return parts[0] if len(parts) == 1 else Every(tuple(parts))


def _range(value: Mapping[str, Any], place: str) -> Range:
    ends: dict[str, Value | None] = {"low": None, "high": None}
    within = {"low": True, "high": True}
    for name, (end, inclusive) in _BOUNDS.items():
        if name not in value:
            continue
        if ends[end] is not None:
            raise FilterInvalid(f"{place}: expected {name} or {name[:2]}e, got both")
        ends[end], within[end] = _scalar(value[name], f"{place}.{name}"), inclusive
    return range_of(ends["low"], ends["high"], place, with_low=within["low"], with_high=within["high"])


def _scalar(value: Any, place: str) -> Value:
    if value is None:
        raise FilterInvalid(f'{place}: expected a text, a number, true or false, got null; ask for {{"exists": false}}')
    if isinstance(value, dict | list):
        hint = '; ask for {"in": […]}' if isinstance(value, list) else ""
        raise FilterInvalid(f"{place}: expected a text, a number, true or false, got {_shown(value)}{hint}")
    if isinstance(value, float | int) and not math.isfinite(value):
        raise FilterInvalid(f"{place}: expected a finite number, got {value}")
    if isinstance(value, str) and NO_TEXT.search(value):
        raise FilterInvalid(f"{place}: expected text, got a character that is none")
    return value_of(value)


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return json.dumps(value)[:_SHOWN]
