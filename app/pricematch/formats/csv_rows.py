"""Rows of a CSV file in the format of Kaggle's Shopee price-match data, one after the other."""

import csv
from collections.abc import Iterator
from typing import BinaryIO

from pricematch.catalogue.posting_rows import OPTIONAL, REQUIRED, PostingRow, RowChecker, RowLimits
from pricematch.errors import CatalogueError


def csv_rows(file: BinaryIO, name: str, limits: RowLimits) -> Iterator[PostingRow]:
    """The rows of a file, good and bad; what follows a quotation mark that is not closed is not read.

    `posting_id` and `image` are required columns, `image_phash`, `title` and `label_group` may be absent or empty,
    others are ignored. UTF-8 with or without byte order mark; titles that hold Python byte escapes are decoded.

    Args:
        file: what is read, a line at a time.
        name: of the file, for errors.
        limits: sizes beyond which it is refused.

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
    return _columns(cells, name)


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
            yield self._decode(line.removeprefix(b"\xef\xbb\xbf") if self.number == 1 else line)

    def take_damaged(self) -> str | None:
        """Why the lines since the last call are damaged, or None."""
        damaged, self._damaged = self._damaged, None
        return damaged

    def _decode(self, line: bytes) -> str:
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            byte = line[error.start]
            self._damaged = f"expected UTF-8, got the byte 0x{byte:02x} at position {error.start + 1} of the line"
            return line.decode("utf-8", errors="replace")
        if "\0" in text:
            self._damaged = "expected text, got a NUL character"
        return text


def _meaning(error: csv.Error) -> str:
    """What the CSV parser's message means to whoever has to mend the file."""
    return "a quotation mark is not closed" if "unexpected end of data" in str(error) else str(error)


def _columns(cells: list[str], name: str) -> list[str]:
    columns = [cell.strip() for cell in cells]
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        raise CatalogueError(
            f"{name}: row 1: expected the columns {', '.join(REQUIRED)} (and perhaps {', '.join(OPTIONAL)}), "
            f"missing {', '.join(missing)}; got {', '.join(columns)[:200]!r}"
        )
    repeated = sorted({it for it in columns if it in REQUIRED + OPTIONAL and columns.count(it) > 1})
    if repeated:
        raise CatalogueError(f"{name}: row 1: expected each column once, got {', '.join(repeated)} more than once")
    return columns
