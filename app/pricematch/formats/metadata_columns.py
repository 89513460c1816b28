"""Metadata in the columns of CSV files: `metadata`, a JSON object, and `metadata.NAME`, one field each."""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pricematch.catalogue.labels import strip_blanks
from pricematch.catalogue.metadata import (
    METADATA,
    NO_METADATA,
    Metadata,
    MetadataLimits,
    parse_metadata,
    read_json_value,
    read_metadata,
)
from pricematch.errors import FieldInvalid

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_EXACT = 2**53
"""Numbers beyond it are text: ids, of which no digit may be lost."""
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
_PREFIX = f"{METADATA}."


def is_metadata_column(name: str) -> bool:
    """Whether a column brings metadata."""
    return name == METADATA or name.startswith(_PREFIX)


def check_columns(columns: Sequence[str], limits: MetadataLimits) -> None:
    """Raise FieldInvalid where one of the columns that bring metadata can bring none that may be, or comes twice."""
    for column in filter(is_metadata_column, columns):
        if columns.count(column) > 1:
            raise FieldInvalid(column, "expected each column once, got it twice")
        if column != METADATA:
            fields = dict[str, Any]()
            put_field(fields, column, None)
            try:
                parse_metadata(fields, limits)
            except FieldInvalid as error:
                raise FieldInvalid(column, error.reason) from error


def metadata_of_cells(cells: Mapping[str, str], limits: MetadataLimits) -> Metadata:
    """The metadata of a row by the names of its columns; an empty cell is a field that is not there.

    Raises:
        FieldInvalid: a cell is no JSON object, two columns bring the same field, or all together is too much.
    """
    whole = strip_blanks(cells.get(METADATA, ""))
    fields = read_metadata(whole, limits).as_json() if whole else {}
    for column, cell in cells.items():
        if column.startswith(_PREFIX) and (text := strip_blanks(cell)):
            put_field(fields, column, cell_value(text))
    return parse_metadata(fields, limits) if fields else NO_METADATA


def cell_value(text: str) -> Any:
    """What the text of a cell means: a plain number, a word or anything in quotes or brackets that is JSON; or text.

    >>> [cell_value(text) for text in ("12.50", "-3", "true", '"12"', '["a", 1]', "red", "007", "1e5", "[new]")]
    [12.5, -3, True, '12', ['a', 1], 'red', '007', '1e5', '[new]']
    """
    if _NUMBER.fullmatch(text):
        return json.loads(text) if abs(Decimal(text)) <= _EXACT else text
    if text in _WORDS:
        return _WORDS[text]
    if text.startswith(('"', "[", "{")):
        try:
            return read_json_value(text, METADATA)
        except FieldInvalid:
            return text
    return text


def put_field(fields: dict[str, Any], column: str, value: Any) -> None:
    """Put the value of a column `metadata.NAME` where its path leads; raises FieldInvalid where another is there."""
    *path, last = column.removeprefix(_PREFIX).split(".")
    for name in path:
        fields = fields.setdefault(name, {})
        if not isinstance(fields, dict):
            raise FieldInvalid(column, f"expected one value, got {name!r} as an object and otherwise")
    if last in fields:
        raise FieldInvalid(column, "expected one value, got another one from another column")
    fields[last] = value
