"""Records of CSV files: the delimiter is given or detected, and columns have names."""

import csv
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType

from pricematch.errors import CatalogueError
from pricematch.formats.text_lines import TextError, TextLines
from pricematch.settings import CsvDelimiter

DELIMITERS: Mapping[CsvDelimiter, str] = MappingProxyType({"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"})
_TOLD = re.compile(r'"?sep=(.)"?[\r\n]*')
"""The line by which a spreadsheet is told a file's delimiter."""
_CLOSE = 0.75
_PART = 5
_SHOWN = 4
"""Optional columns that an error names."""


class CsvRecords:
    """The records of a file behind its header.

    Args:
        lines: of the file.
        name: of the file, for errors.
        limit: bytes of a record's field, at most.
        required: columns that there must be.
        optional: those that there may be.
        delimiter: by its name; auto to detect it.
        one_of: columns of which there must be one; the first is named where there is none.

    Attributes:
        columns: their names, in order.
        delimiter: the one it is read by.

    Raises:
        CatalogueError: there is no header, or not with these columns.
    """

    def __init__(
        self,
        lines: TextLines,
        name: str,
        limit: int,
        required: Sequence[str],
        optional: Sequence[str] = (),
        delimiter: CsvDelimiter = "auto",
        one_of: Sequence[str] = (),
    ) -> None:
        # a field is never longer than the physical lines it spans, so this bounds an unclosed quote as well
        csv.field_size_limit(limit)
        self._lines, self._limit, self._number = lines, limit, 1
        known = list(dict.fromkeys([*required, *optional, *one_of]))
        try:
            physical = self._physical()
            first = next(physical, "")
            if told := _TOLD.fullmatch(first):
                first = next(physical, "")
                self._number += 1
            while first and not first.strip("\r\n \t"):
                first = next(physical, "")
                self._number += 1
            if not first:
                raise CatalogueError(f"{name}: expected a header row, got an empty file")
            likely = told[1] if told else max(DELIMITERS.values(), key=lambda it: _fit(first, it, known))
            self.delimiter = likely if delimiter == "auto" else DELIMITERS[delimiter]
            self._records = csv.reader(chain([first], physical), delimiter=self.delimiter, strict=True)
            header = next(self._records)
        except csv.Error as error:
            raise CatalogueError(f"{name}: row {self._number}: {_meaning(error)}") from error
        self.columns = [cell.strip() for cell in header]
        if one_of and not set(one_of) & set(self.columns):
            required = [*required, one_of[0]]
        self._check(name, header, required, [it for it in known if it not in required])

    def __iter__(self) -> Iterator[tuple[int, list[str] | str]]:
        """The numbers of records, and their cells; or, in the end, why what follows cannot be read."""
        while True:
            self._number += 1
            try:
                cells = next(self._records)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._number, f"{_meaning(error)} (line {self._lines.number}); what follows was not read"
                return
            if not cells:
                continue
            if len(cells) != len(self.columns):
                yield self._number, f"expected {len(self.columns)} fields, got {len(cells)}"
            else:
                yield self._number, cells

    def _physical(self) -> Iterator[str]:
        try:
            for line in self._lines:
                if line is None:
                    raise csv.Error(f"expected at most {self._limit} bytes, got more")
                yield line
        except TextError as error:
            raise csv.Error(str(error)) from error

    def _check(self, name: str, header: Sequence[str], required: Sequence[str], optional: Sequence[str]) -> None:
        where = f"{name}: row {self._number}"
        if (fault := self._lines.undecoded("".join(header))) is not None:
            raise CatalogueError(f"{where}: {fault}")
        if missing := [column for column in required if column not in self.columns]:
            more = f" and {len(optional) - _SHOWN} more" if len(optional) > _SHOWN else ""
            perhaps = f" (and perhaps {', '.join(optional[:_SHOWN])}{more})" if optional else ""
            hints = [f"; {it!r} looks like {meant}" for it in self.columns if (meant := nearest(it, missing))]
            raise CatalogueError(
                f"{where}: expected the columns {', '.join(required)}{perhaps}, missing {', '.join(missing)}; "
                f"got {', '.join(self.columns)[:200]!r}{''.join(hints)[:200]}"
            )
        if repeated := sorted({it for it in (*required, *optional) if self.columns.count(it) > 1}):
            raise CatalogueError(f"{where}: expected each column once, got {', '.join(repeated)} more than once")


def nearest(name: str, columns: Sequence[str]) -> str | None:
    """The column that a name may be meant for; None if it is like none.

    >>> [nearest(name, ["posting_id", "title", "label_group"]) for name in ("Titel", "postingid", "label", "x")]
    ['title', 'posting_id', 'label_group', None]
    """
    plain = {re.sub(r"[\W_]+", "", column.casefold()): column for column in columns}
    given = re.sub(r"[\W_]+", "", name.casefold())
    if close := difflib.get_close_matches(given, plain, 1, _CLOSE):
        return plain[close[0]]
    return next((column for text, column in plain.items() if len(given) >= _PART and given in text), None)


def _fit(line: str, delimiter: str, known: Sequence[str]) -> tuple[int, int]:
    """How well a delimiter makes columns of a header: how many known ones, and how many at all."""
    try:
        cells = next(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return 0, 0
    return len({cell.strip() for cell in cells} & set(known)), len(cells)


def _meaning(error: csv.Error) -> str:
    """The CSV parser's message in words of the file."""
    return "a quotation mark is not closed" if "unexpected end of data" in str(error) else str(error)
