"""Filters: conditions on the fields of postings, as an immutable tree.

A field is named by its path, whose parts dots separate; `$posting_id` and `$label_group` are the posting's own. A
field that holds a list has all of its elements as values, also where a path leads through one. Types never mix: the
number 38 and the text "38" are different values. Numbers are compared as 64-bit floats.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from pricematch.errors import FilterInvalid

POSTING_ID, LABEL_GROUP = "$posting_id", "$label_group"
"""Fields that are the posting's own."""
OWN_FIELDS = (POSTING_ID, LABEL_GROUP)
MAX_DEPTH = 8
"""`and`, `or` and `not` within each other."""
MAX_CONDITIONS = 100
"""Fields that a filter compares, each as often as it does."""
_MAX_PATH_CHARS = 1000
_TREE_BYTES = 200
OPERATORS = ("and", "or", "not")
"""Names that are no fields in JSON."""
NO_TEXT = re.compile("[\ud800-\udfff]")
"""Halves of characters, which JSON may have and no text."""
_SHOWN = 60


class Value(NamedTuple):
    """A value of a field, with its type; so values of different types are never equal.

    Attributes:
        type: of the value; an object is there, and equal to nothing.
        value: a text, a float, or True or False; "" of an object.
    """

    type: Literal["text", "number", "boolean", "object"]
    value: str | float | bool


@dataclass(frozen=True, slots=True)
class OneOf:
    """A test: the value is one of some."""

    values: tuple[Value, ...]

    def __call__(self, value: Value) -> bool:
        """Whether a value passes."""
        return value in self.values


@dataclass(frozen=True, slots=True)
class Range:
    """A test: the value lies between two of its type, numbers or texts; texts compare by their code points.

    Attributes:
        low, high: the ends; None where there is none. One there is at least, and both are of one type.
        with_low, with_high: whether the ends belong to it.
    """

    low: Value | None
    high: Value | None
    with_low: bool = True
    with_high: bool = True

    @property
    def type(self) -> str:
        """That of the ends."""
        return (self.low or self.high or Value("number", 0.0)).type

    def __call__(self, value: Value) -> bool:
        """Whether a value passes."""
        return value.type == self.type and self.holds(value.value)

    def holds(self, value: Any) -> Any:
        """Whether a value of the same type lies there; of an array, which of its values do."""
        inside: Any = True
        if self.low is not None:
            inside = value >= self.low.value if self.with_low else value > self.low.value
        if self.high is not None:
            inside = inside & (value <= self.high.value if self.with_high else value < self.high.value)
        return inside


@dataclass(frozen=True, slots=True)
class Present:
    """A test: there is a value; null is none, nor is an empty list."""

    def __call__(self, value: Value) -> bool:  # noqa: ARG002 — any passes
        """Whether a value passes."""
        return True


Test: TypeAlias = OneOf | Range | Present


@dataclass(frozen=True, slots=True)
class Has:
    """A condition: one of the values of a field passes a test."""

    field: str
    test: Test


@dataclass(frozen=True, slots=True)
class Every:
    """A condition: all of some hold; of none, always."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """A condition: one of some holds; of none, never."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """A condition: another does not hold, also since the field is not there."""

    part: "Filter"


Filter: TypeAlias = Has | Every | Either | Not


def both(one: Filter | None, *others: Filter) -> Filter | None:
    """The filter that holds where all of some do; None where there are none."""
    parts = (*(() if one is None else (one,)), *others)
    return (parts[0] if len(parts) == 1 else Every(parts)) if parts else None


def none_of(field: str, values: Sequence[Value]) -> Sequence[Filter]:
    """The filter that holds where a field has none of some values; none where there are none."""
    some = tuple(dict.fromkeys(value for value in values if value.type != "object"))
    return [Not(Has(field, OneOf(some)))] if some else []


def size_of(condition: Filter) -> int:
    """Bytes that a filter takes up, roughly."""
    match condition:
        case Has(field, OneOf(values)):
            return _TREE_BYTES + len(field) + sum(_TREE_BYTES + len(str(value.value)) for value in values)
        case Has(field, _):
            return 3 * _TREE_BYTES + len(field)
        case Every(parts) | Either(parts):
            return _TREE_BYTES + sum(map(size_of, parts))
        case Not(part):
            return _TREE_BYTES + size_of(part)


def holds(condition: Filter, values: Callable[[str], Sequence[Value]]) -> bool:
    """Whether a filter holds of a posting, given the values of its fields by their paths."""
    match condition:
        case Has(field, test):
            return any(map(test, values(field)))
        case Every(parts):
            return all(holds(part, values) for part in parts)
        case Either(parts):
            return any(holds(part, values) for part in parts)
        case Not(part):
            return not holds(part, values)


def values_at(value: Any, path: Sequence[str]) -> Iterator[Value]:
    """The values where a path leads to from a value of JSON: an object, a list, or what stands in one.

    >>> [it.value for it in values_at({"size": [{"eu": 38}, {"eu": [39, None]}, 40]}, ["size", "eu"])]
    [38.0, 39.0]
    """
    if isinstance(value, Mapping):
        if not path:
            yield Value("object", "")
        elif path[0] in value:
            yield from values_at(value[path[0]], path[1:])
    elif isinstance(value, list | tuple):
        for element in value:
            yield from values_at(element, path)
    elif not path and value is not None:
        yield value_of(value)


def value_of(scalar: str | float | bool) -> Value:  # noqa: FBT001 — it is the value
    """A text, a number or a truth value with its type."""
    if isinstance(scalar, str):
        return Value("text", scalar)
    return Value("boolean", scalar) if isinstance(scalar, bool) else Value("number", float(scalar))


def check_size(condition: Filter) -> None:
    """Raise FilterInvalid where a filter has more conditions than may be."""
    if (count := sum(1 for _ in fields_of(condition))) > MAX_CONDITIONS:
        raise FilterInvalid(f"filter: expected at most {MAX_CONDITIONS} conditions, got {count}")


def fields_of(condition: Filter) -> Iterator[str]:
    """The paths of the fields that a filter compares, each as often as it does."""
    match condition:
        case Has(field, _):
            yield field
        case Every(parts) | Either(parts):
            for part in parts:
                yield from fields_of(part)
        case Not(part):
            yield from fields_of(part)


def field_path(text: str, place: str) -> str:
    """The path of a field; raises FilterInvalid for what can be none, naming the place."""
    if len(text) > _MAX_PATH_CHARS or not all(text.split(".")) or NO_TEXT.search(text):
        raise FilterInvalid(f"{place}: expected the name of a field, or names with dots between, got {text[:_SHOWN]!r}")
    if text in OPERATORS:
        raise FilterInvalid(f"{place}: expected the name of a field, got {text!r}, which no field can be asked by")
    if text.startswith("$") and text not in OWN_FIELDS:
        raise FilterInvalid(f"{place}: expected {' or '.join(OWN_FIELDS)}, got {text[:_SHOWN]!r}")
    return text


def range_of(low: Value | None, high: Value | None, place: str, *, with_low: bool, with_high: bool) -> Range:
    """A range; raises FilterInvalid where its ends are no numbers or texts, or of two types, naming the place."""
    for end in (low, high):
        if end is not None and end.type == "boolean":
            raise FilterInvalid(
                f"{place}: expected a number or a text to begin or end with, got {json.dumps(end.value)}"
            )
    if low is not None and high is not None and low.type != high.type:
        raise FilterInvalid(f"{place}: expected two numbers or two texts, got a {low.type} and a {high.type}")
    return Range(low, high, with_low, with_high)
