"""Lines of NDJSON files: the fields of the object on each."""

import json
from collections.abc import Iterable, Mapping

from pricematch.catalogue.metadata import distinct_fields
from pricematch.errors import FieldInvalid


class BadLine(Exception):
    """What is wrong with a line."""


def fields_of(line: str) -> Mapping[str, object]:
    """The fields of a line's object; raises BadLine."""
    try:
        fields = json.loads(line, object_pairs_hook=distinct_fields("line"))
    except FieldInvalid as error:
        raise BadLine(error.reason) from error
    except RecursionError as error:
        raise BadLine("expected a JSON object, got one that is nested too deeply") from error
    except ValueError as error:
        raise BadLine(f"expected a JSON object on a line of its own ({error})") from error
    if not isinstance(fields, dict):
        raise BadLine(f"expected a JSON object, got {type(fields).__name__}")
    return fields


def texts_of(fields: Mapping[str, object], names: Iterable[str]) -> Mapping[str, str]:
    """The text of those of some fields that are there and not null; raises BadLine."""
    values = {}
    for field in names:
        value = fields.get(field)
        if value is None:
            continue
        values[field] = _text(field, value)
    return values


def list_of_texts(fields: Mapping[str, object], name: str) -> list[str] | None:
    """The texts of a field that is a list; None where it is absent or null. Raises BadLine."""
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, list):
        raise BadLine(f"expected a list of texts in {name}, got {json.dumps(value)[:40]}")
    return [_text(name, it) for it in value]


def _text(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise BadLine(f"expected text in {field}, got {json.dumps(value)[:40]}")
    if "\0" in value or any("\ud800" <= mark <= "\udfff" for mark in value):
        raise BadLine(f"expected text in {field}, got a character that is none")
    return value
