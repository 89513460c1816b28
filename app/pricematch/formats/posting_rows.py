"""Rows of catalogue files, CSV or NDJSON, as postings; checked the same way whatever the format."""

import csv
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pricematch.catalogue.postings import Posting, decode_byte_escapes, is_posting_id
from pricematch.errors import CatalogueError, RowProblem

_REQUIRED = ("posting_id", "image")
_OPTIONAL = ("image_phash", "title", "label_group")
_PROBED_BYTES = 4096
_BOM = b"\xef\xbb\xbf"
_PHASH = re.compile(r"[0-9a-fA-F]{16}")
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class RowLimits:
    """Sizes beyond which a file is refused: rows of the catalogue, and bytes of one row."""

    rows: int
    row_bytes: int


@dataclass(frozen=True, slots=True)
class PostingRow:
    """One row of a catalogue file.

    Attributes:
        number: of the record in the file; the header of a CSV file is row 1.
        posting_id: as the row has it, shortened; None where it cannot be read.
        posting: the row as a posting; None where it is bad.
        problems: why it is bad.
    """

    number: int
    posting_id: str | None
    posting: Posting | None
    problems: Sequence[RowProblem] = ()

    @classmethod
    def bad(cls, number: int, message: str) -> "PostingRow":
        """A row that cannot be read at all."""
        return cls(number, None, None, (RowProblem(number, None, message),))


class RowChecker:
    """Makes postings of rows, and remembers ids to find repeated ones."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}

    def row(self, number: int, values: Mapping[str, str]) -> PostingRow:
        """A row by the names of its columns; those that are left out are empty, others are ignored."""
        posting_id, phash = values.get("posting_id", ""), values.get("image_phash", "")
        problems = []
        if not is_posting_id(posting_id):
            expected = "expected 1–128 letters, digits or _ . : @ + ~ -, the first a letter, digit or _"
            problems.append(RowProblem(number, "posting_id", f"{expected}, got {posting_id[:_SHOWN]!r}"))
        elif (earlier := self._first.setdefault(posting_id, number)) != number:
            problems.append(RowProblem(number, "posting_id", f"{posting_id!r} already stands in row {earlier}"))
        if phash and not _PHASH.fullmatch(phash):
            message = f"expected 16 hexadecimal digits, got {phash[:_SHOWN]!r}"
            problems.append(RowProblem(number, "image_phash", message))
        posting = None if problems else _posting(values)
        return PostingRow(number, posting_id[:_SHOWN] or None, posting, problems)


def _posting(values: Mapping[str, str]) -> Posting:
    return Posting(
        posting_id=values["posting_id"],
        image=values.get("image") or None,
        title=decode_byte_escapes(values.get("title", "")),
        image_phash=values.get("image_phash", "").lower() or None,
        label_group=values.get("label_group") or None,
    )


def csv_rows(file: BinaryIO, name: str, limits: RowLimits) -> Iterator[PostingRow]:
    """The rows of a file, good and bad; what follows a quotation mark that is not closed is not read.

    `posting_id` and `image` are required columns, `image_phash`, `title` and `label_group` may be absent or empty,
    others are ignored. UTF-8 with or without byte order mark; titles that hold Python byte escapes are decoded. The
    file is read a line at a time; errors have its name.

    Raises:
        CatalogueError: the file as a whole is of no use: it lacks a column, is no CSV, or has more rows than the limit.
        OSError: it cannot be read.
    """
    # a field is never longer than the physical lines it spans, so this bounds an unclosed quote as well
    csv.field_size_limit(limits.row_bytes)
    lines = _Lines(file, limits.row_bytes)
    records = csv.reader(lines, strict=True)
    columns = _header(records, lines, name)
    checker, number, postings = RowChecker(), 1, 0
    while True:
        number += 1
        try:
            cells = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            yield PostingRow.bad(number, f"{_meaning(error)} (line {lines.number}); what follows was not read")
            return
        damaged = lines.take_damaged()
        if not cells:
            continue
        postings += 1
        if postings > limits.rows:
            raise CatalogueError(f"{name}: expected at most {limits.rows} postings, got more")
        if damaged is not None:
            yield PostingRow.bad(number, damaged)
        elif len(cells) != len(columns):
            yield PostingRow.bad(number, f"expected {len(columns)} fields, got {len(cells)}")
        else:
            yield checker.row(number, dict(zip(columns, cells, strict=True)))


def _header(records: Iterator[list[str]], lines: "_Lines", name: str) -> list[str]:
    """The names of the columns."""
    try:
        cells = next(records)
    except StopIteration:
        raise CatalogueError(f"{name}: expected a header row, got an empty file") from None
    except csv.Error as error:
        raise CatalogueError(f"{name}: row 1: {_meaning(error)}") from error
    if (damaged := lines.take_damaged()) is not None:
        raise CatalogueError(f"{name}: row 1: {damaged}")
    columns = [cell.strip() for cell in cells]
    missing = [column for column in _REQUIRED if column not in columns]
    if missing:
        raise CatalogueError(
            f"{name}: row 1: expected the columns {', '.join(_REQUIRED)} (and perhaps {', '.join(_OPTIONAL)}), "
            f"missing {', '.join(missing)}; got {', '.join(columns)[:200]!r}"
        )
    repeated = sorted({it for it in columns if it in _REQUIRED + _OPTIONAL and columns.count(it) > 1})
    if repeated:
        raise CatalogueError(f"{name}: row 1: expected each column once, got {', '.join(repeated)} more than once")
    return columns


class _Lines:
    """The file's lines as text, none longer than the limit; remembers whether one was not clean UTF-8."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file, self._limit = file, limit
        self.number = 0
        self._damaged: str | None = None

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(self._limit + 1):
            self.number += 1
            if len(line) > self._limit:
                raise csv.Error(f"expected at most {self._limit} bytes, got more")
            yield self._decode(line.removeprefix(_BOM) if self.number == 1 else line)

    def take_damaged(self) -> str | None:
        """Why the lines since the last call are damaged, or None."""
        damaged, self._damaged = self._damaged, None
        return damaged

    def _decode(self, line: bytes) -> str:
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            self._damaged = _not_utf8(line, error)
            return line.decode("utf-8", errors="replace")
        if "\0" in text:
            self._damaged = "expected text, got a NUL character"
        return text


def _not_utf8(line: bytes, error: UnicodeDecodeError) -> str:
    return f"expected UTF-8, got the byte 0x{line[error.start]:02x} at position {error.start + 1} of the line"


def _meaning(error: csv.Error) -> str:
    """The CSV parser's message in words of the file."""
    return "a quotation mark is not closed" if "unexpected end of data" in str(error) else str(error)


class _BadLine(Exception):
    """What is wrong with a line."""


def ndjson_rows(file: BinaryIO, name: str, limits: RowLimits) -> Iterator[PostingRow]:
    """The rows of a file, good and bad, numbered by their lines; blank lines are passed over.

    The fields are the columns of a CSV file, text or null; all but `posting_id` may be absent, others are ignored.
    Arguments and errors are those of `csv_rows`.
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
    try:
        fields = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _BadLine(_not_utf8(line, error)) from error
    except RecursionError as error:
        raise _BadLine("expected a JSON object, got one that is nested too deeply") from error
    except ValueError as error:
        raise _BadLine(f"expected a JSON object on a line of its own ({error})") from error
    if not isinstance(fields, dict):
        raise _BadLine(f"expected a JSON object, got {type(fields).__name__}")
    values = {}
    for field in (*_REQUIRED, *_OPTIONAL):
        value = fields.get(field)
        if value is None:
            continue
        if not isinstance(value, str):
            raise _BadLine(f"expected text in {field}, got {json.dumps(value)[:40]}")
        if "\0" in value or any("\ud800" <= mark <= "\udfff" for mark in value):
            raise _BadLine(f"expected text in {field}, got a character that is none")
        values[field] = value
    return values


def posting_rows(path: Path, name: str, limits: RowLimits) -> Iterator[PostingRow]:
    """The rows of a file; it is NDJSON if its first character but spaces opens a JSON object, else CSV.

    Raises:
        CatalogueError: the file as a whole is of no use, or cannot be read; perhaps after some rows.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(_PROBED_BYTES).removeprefix(_BOM).lstrip()
            file.seek(0)
            yield from (ndjson_rows if beginning.startswith(b"{") else csv_rows)(file, name, limits)
    except OSError as error:
        raise CatalogueError(f"{name}: cannot be read ({error.strerror})") from error


def check_rows(path: Path, name: str, limits: RowLimits) -> None:
    """Raise CatalogueError if a file is not one of postings, by its first row."""
    if next(posting_rows(path, name, limits), None) is None:
        raise CatalogueError(f"{name}: expected at least one posting, got none")
