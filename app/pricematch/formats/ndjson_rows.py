"""Rows of an NDJSON file: one posting a line, as a JSON object."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from pricematch.catalogue.posting_rows import OPTIONAL, REQUIRED, PostingRow, RowChecker, RowLimits
from pricematch.errors import CatalogueError

_FIELDS = (*REQUIRED, *OPTIONAL)
_BOM = b"\xef\xbb\xbf"


class _BadLine(Exception):
    """What is wrong with a line."""


def ndjson_rows(file: BinaryIO, name: str, limits: RowLimits) -> Iterator[PostingRow]:
    """The rows of a file, good and bad, numbered by their lines; blank lines are passed over.

    The fields are the columns of a CSV file, text or null; all but `posting_id` may be absent, others are ignored.

    Args:
        file: what is read, a line at a time.
        name: of the file, for errors.
        limits: sizes beyond which it is refused.

    Raises:
        CatalogueError: it has more rows than the limit.
        OSError: it cannot be read.
    """
    checker, postings = RowChecker(), 0
    for number, line in enumerate(_lines(file, limits.row_bytes), start=1):
        if line is not None and not line.strip():
            continue
        postings += 1
        if postings > limits.rows:
            raise CatalogueError(f"{name}: expected at most {limits.rows} postings, got more")
        if line is None:
            yield PostingRow.bad(number, f"expected at most {limits.row_bytes} bytes, got more")
            continue
        try:
            values = _values(line)
        except _BadLine as error:
            yield PostingRow.bad(number, str(error))
        else:
            yield checker.row(number, values)


def _lines(file: BinaryIO, limit: int) -> Iterator[bytes | None]:
    """The lines without byte order mark; None for one that is longer than the limit, which is passed over."""
    first = True
    while line := file.readline(limit + 1):
        if len(line) <= limit or line.endswith(b"\n"):
            yield line.removeprefix(_BOM) if first else line
        else:
            while line and not line.endswith(b"\n"):
                line = file.readline(limit)
            yield None
        first = False


def _values(line: bytes) -> Mapping[str, str]:
    """The text of a line's fields; raises _BadLine."""
    fields = _object(line)
    values = {}
    for field in _FIELDS:
        value = fields.get(field)
        if value is None:
            continue
        if not isinstance(value, str):
            raise _BadLine(f"expected text in {field}, got {json.dumps(value)[:40]}")
        if "\0" in value or any("\ud800" <= mark <= "\udfff" for mark in value):
            raise _BadLine(f"expected text in {field}, got a character that is none")
        values[field] = value
    return values


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        byte, place = line[error.start], error.start + 1
        raise _BadLine(f"expected UTF-8, got the byte 0x{byte:02x} at position {place} of the line") from error
    except RecursionError as error:
        raise _BadLine("expected a JSON object, got one that is nested too deeply") from error
    except ValueError as error:
        raise _BadLine(f"expected a JSON object on a line of its own ({error})") from error
    if not isinstance(found, dict):
        raise _BadLine(f"expected a JSON object, got {type(found).__name__}")
    return found
