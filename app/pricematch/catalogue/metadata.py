"""Metadata of postings: a JSON object of a seller's own fields, of bounded size; only evidence is matched by."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from sys import intern
from types import MappingProxyType
from typing import Any, TypeAlias, cast

from pricematch.errors import FieldInvalid

Json: TypeAlias = "str | int | float | bool | tuple[Json, ...] | Mapping[str, Json] | None"
"""A value of metadata. Immutable: a list is a tuple, an object a mapping that cannot be changed."""
METADATA = "metadata"
"""The name of the field, with which the path of every value begins."""
MAX_NAME_CHARS = 100
_MAX_INTEGER = 2**53
"""Beyond it a program that reads numbers as doubles gets others."""
_SHOWN = 40
_FORBIDDEN = re.compile("[\0\ud800-\udfff]")
_IN_NAMES = re.compile("[\0-\x1f\x7f-\x9f\ud800-\udfff]")
_WORDS: Mapping[type, str] = MappingProxyType({dict: "an object", list: "a list", bool: "true or false", str: "text"})
_SHORT = 64
"""Texts of so many characters are kept once for all postings that have them."""


@dataclass(frozen=True, slots=True)
class MetadataLimits:
    """What the metadata of a posting may be, at most.

    Attributes:
        bytes: of its canonical JSON in UTF-8.
        depth: objects and lists within each other, the whole of it included.
        fields: of all of its objects together.
    """

    bytes: int
    depth: int
    fields: int


class Metadata:
    """A JSON object. Immutable, equal by `text`, and so by value: 12.0 is 12, and the order of fields is none.

    Args:
        fields: what `parse_metadata` lets through.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = {intern(name): _frozen(fields[name]) for name in sorted(fields)}

    @property
    def fields(self) -> Mapping[str, Json]:
        """Its fields, which cannot be changed."""
        return MappingProxyType(self._fields)

    @property
    def text(self) -> str:
        """Its canonical JSON: fields by their names, no blanks, whole numbers without a fraction."""
        return json.dumps(self._fields, default=dict, ensure_ascii=False, separators=(",", ":"))

    def as_json(self) -> dict[str, Any]:
        """The same as dictionaries and lists, for whoever writes JSON."""
        return {name: _thawed(value) for name, value in self._fields.items()}

    def __bool__(self) -> bool:
        return bool(self._fields)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Metadata) and self.text == other.text)

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Metadata({self.text})"


NO_METADATA = Metadata({})
"""That of a posting which has none."""


def parse_metadata(value: object, limits: MetadataLimits, path: str = METADATA) -> Metadata:
    """The metadata of a value that was read from JSON.

    Args:
        value: as `json.loads` gives it.
        limits: what it may be.
        path: what errors call it.

    Raises:
        FieldInvalid: it is no object, or something in it is not as it must be; names the path of that.
    """
    if not isinstance(value, dict):
        raise FieldInvalid(path, f"expected a JSON object, got {_named(value)}")
    left = limits.fields
    for _, fields in _objects(value, path, limits.depth):
        left -= len(fields)
    if left < 0:
        raise FieldInvalid(path, f"expected at most {limits.fields} fields in all objects, got {limits.fields - left}")
    metadata = Metadata(value) if value else NO_METADATA
    if (size := len(metadata.text.encode())) > limits.bytes:
        raise FieldInvalid(path, f"expected at most {limits.bytes} bytes of JSON, got {size}")
    return metadata


def read_metadata(text: str, limits: MetadataLimits, path: str = METADATA) -> Metadata:
    """The metadata of a text; raises FieldInvalid for what is no JSON, or as `parse_metadata`."""
    return parse_metadata(read_json_value(text, path), limits, path)


def stored_metadata(text: str | None) -> Metadata:
    """The metadata of a `Metadata.text` that was kept, which is taken for right; of None there is none."""
    return NO_METADATA if text is None else Metadata(json.loads(text))


def merged_metadata(metadata: Metadata, patch: object, limits: MetadataLimits) -> Metadata:
    """Metadata after a JSON Merge Patch (RFC 7396): fields take the place of those there are, null removes one.

    Raises:
        FieldInvalid: the patch is neither an object nor null, or what it makes is not as it must be.
    """
    if patch is None:
        return NO_METADATA
    if not isinstance(patch, dict):
        raise FieldInvalid(METADATA, f"expected a JSON object or null, got {_named(patch)}")
    _check_depth(patch, METADATA, limits.depth)
    return parse_metadata(_merged(metadata.as_json(), patch), limits)


def read_json_value(text: str, path: str) -> object:
    """A value of JSON, no name twice in an object; raises FieldInvalid for what is no JSON."""
    try:
        return json.loads(text, object_pairs_hook=distinct_fields(path), parse_constant=_no_number)
    except RecursionError:
        raise FieldInvalid(path, "expected JSON, got one that is nested too deeply") from None
    except ValueError as error:
        raise FieldInvalid(path, f"expected JSON, got {text[:_SHOWN]!r} ({error})") from None


def distinct_fields(path: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    """Makes objects of pairs; it raises FieldInvalid for a name that comes twice: parsers differ in which they take."""

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict[str, Any]()
        for name, value in pairs:
            if name in fields:
                raise FieldInvalid(path, f"expected each name once in an object, got {name[:_SHOWN]!r} twice")
            fields[name] = value
        return fields

    return distinct


def _objects(value: object, path: str, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects within a value with their paths, each name and value checked; raises FieldInvalid."""
    if not isinstance(value, dict | list):
        _check_scalar(value, path)
        return
    _check_nesting(path, depth)
    if isinstance(value, dict):
        yield path, value
        for name in value:
            _check_name(name, path)
    for inner_path, inner in _inner(value, path):
        yield from _objects(inner, inner_path, depth - 1)


def _inner(value: dict[str, Any] | list[Any], path: str) -> list[tuple[str, Any]]:
    """The values in an object or a list, with their paths."""
    if isinstance(value, dict):
        return [(f"{path}.{name}", inner) for name, inner in value.items()]
    return [(f"{path}[{place}]", inner) for place, inner in enumerate(value)]


def _check_depth(value: object, path: str, depth: int) -> None:
    """Raise FieldInvalid where objects and lists are nested too deeply, before anything follows them down."""
    if isinstance(value, dict | list):
        _check_nesting(path, depth)
        for inner_path, inner in _inner(value, path):
            _check_depth(inner, inner_path, depth - 1)


def _check_nesting(path: str, depth: int) -> None:
    if depth <= 0:
        raise FieldInvalid(path, "expected text, a number, true, false or null, got another object or list: too deep")


def _check_name(name: str, path: str) -> None:
    if not name:
        raise FieldInvalid(path, "expected names of fields, got an empty one")
    if len(name) > MAX_NAME_CHARS:
        got = f"one of {len(name)} that begins with {name[:_SHOWN]!r}"
        raise FieldInvalid(path, f"expected names of at most {MAX_NAME_CHARS} characters, got {got}")
    if name.startswith("$") or "." in name or _IN_NAMES.search(name):
        expected = "expected names without a dot or a control character, and not beginning with $"
        raise FieldInvalid(path, f"{expected}, got {name[:_SHOWN]!r}")


def _check_scalar(value: object, path: str) -> None:
    if isinstance(value, str):
        if _FORBIDDEN.search(value):
            raise FieldInvalid(path, "expected text, got a character that is none")
    elif isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > _MAX_INTEGER:
            raise FieldInvalid(path, "expected a whole number within ±2^53, got a larger one; send it as text")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise FieldInvalid(path, f"expected a finite number, got {value}")
    elif value is not None and not isinstance(value, bool):
        raise FieldInvalid(path, f"expected a value of JSON, got {type(value).__name__}")


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number of JSON")


def _named(value: object) -> str:
    return "null" if value is None else _WORDS.get(type(value), "a number")


def _merged(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict):
            inner = target.get(name)
            target[name] = _merged(inner if isinstance(inner, dict) else {}, value)
        else:
            target[name] = value
    return target


def _frozen(value: Any) -> Json:
    """A value that cannot be changed; what many postings have is kept once."""
    if isinstance(value, str):
        return intern(value) if len(value) <= _SHORT else value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= _MAX_INTEGER else value
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    if isinstance(value, Mapping):
        return MappingProxyType({intern(name): _frozen(value[name]) for name in sorted(value)})
    return cast("Json", value)


def _thawed(value: Json) -> Any:
    if isinstance(value, tuple):
        return list(map(_thawed, value))
    return {name: _thawed(inner) for name, inner in value.items()} if isinstance(value, Mapping) else value
