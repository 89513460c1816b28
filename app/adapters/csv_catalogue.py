"""Reads a catalogue in the CSV format of Kaggle's Shopee price-match data."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from app.errors import CatalogueError, ImageError, RowProblem
from app.matching.postings import Posting, is_posting_id
from app.matching.titles import decode_byte_escapes

REQUIRED = ("posting_id", "image")
OPTIONAL = ("image_phash", "title", "label_group")
_PHASH = re.compile(r"[0-9a-fA-F]{16}")


@dataclass(frozen=True)
class CsvLimits:
    """Sizes beyond which a file is refused: rows of the catalogue, and bytes of one row."""

    rows: int
    row_bytes: int


@dataclass
class CsvCatalogue:
    """What a file holds: the good postings with their record numbers, and what is wrong with the other rows."""

    path: Path
    postings: list[Posting] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)

    def by_id(self) -> "CsvCatalogue":
        """The same with the postings in the order of their ids, which decides ties whatever the order of the file."""
        return self._of(sorted(zip(self.postings, self.rows, strict=True), key=lambda pair: pair[0].posting_id))

    def pictured(self) -> "CsvCatalogue":
        """The same without the postings that name no picture."""
        return self._of([pair for pair in zip(self.postings, self.rows, strict=True) if pair[0].image is not None])

    def _of(self, pairs: Sequence[tuple[Posting, int]]) -> "CsvCatalogue":
        return CsvCatalogue(self.path, [posting for posting, _ in pairs], [row for _, row in pairs], self.problems)

    def image_problems(self, errors: Mapping[str, ImageError]) -> list[RowProblem]:
        """What is wrong with the pictures of the good postings, by row, given the errors by image name."""
        problems = []
        for row, posting in self._by_row():
            if posting.image is None:
                problems.append(RowProblem(row, "image", "expected a file name, got nothing"))
            elif posting.image in errors:
                reason, name = str(errors[posting.image]), repr(posting.image)
                problems.append(RowProblem(row, "image", reason if name in reason else f"{name}: {reason}"))
        return problems

    def label_problems(self) -> list[RowProblem]:
        """Which of the good postings lack a label group, by row."""
        return [
            RowProblem(row, "label_group", "expected the posting's product, got nothing")
            for row, posting in self._by_row()
            if posting.label_group is None
        ]

    def _by_row(self) -> list[tuple[int, Posting]]:
        return sorted(zip(self.rows, self.postings, strict=True), key=lambda pair: pair[0])

    def refuse(self, problems: Sequence[RowProblem]) -> None:
        """Raise CatalogueError naming the problems, if there are any."""
        if problems:
            count = f"{len(problems)} bad row{'s' if len(problems) > 1 else ''}"
            raise CatalogueError(f"{self.path}: {count}", problems)

    def names(self) -> list[str]:
        """The distinct picture names, in order."""
        return list(dict.fromkeys(posting.image for posting in self.postings if posting.image is not None))


def read_csv(path: Path, limits: CsvLimits) -> CsvCatalogue:
    """Read a catalogue; pictures are not looked at, and bad rows are put into `problems` for the caller to refuse.

    `posting_id` and `image` are required columns, `image_phash`, `title` and `label_group` may be absent or empty,
    others are ignored. UTF-8 with or without byte order mark; titles that hold Python byte escapes are decoded.

    Raises:
        CatalogueError: the file as a whole is of no use: it cannot be read, lacks a column, is no CSV, has no rows
            or more than the limit.
    """
    content = CsvCatalogue(path)
    try:
        with path.open("rb") as file:
            _read(file, content, limits)
    except OSError as error:
        hint = "; `pricematch sample` draws a catalogue to try" if isinstance(error, FileNotFoundError) else ""
        raise CatalogueError(f"{path}: cannot be read ({error.strerror}){hint}") from error
    if not content.postings and not content.problems:
        raise CatalogueError(f"{path}: expected at least one posting, got none")
    return content


def _read(file: BinaryIO, content: CsvCatalogue, limits: CsvLimits) -> None:
    # a field is never longer than the physical lines it spans, so this bounds an unclosed quote as well
    csv.field_size_limit(limits.row_bytes)
    lines = _Lines(file, limits.row_bytes)
    records = csv.reader(lines, strict=True)
    columns: list[str] | None = None
    first_row: dict[str, int] = {}
    number = postings = 0
    while True:
        number += 1
        try:
            cells = next(records)
        except StopIteration:
            break
        except csv.Error as error:
            if columns is None:
                raise CatalogueError(f"{content.path}: row 1: {_meaning(error)}") from error
            message = f"{_meaning(error)} (line {lines.number}); what follows was not read"
            content.problems.append(RowProblem(number, None, message))
            break
        damaged = lines.take_damaged()
        if columns is None:
            if damaged is not None:
                raise CatalogueError(f"{content.path}: row 1: {damaged}")
            columns = _columns(cells, content.path)
        elif cells:
            postings += 1
            if postings > limits.rows:
                raise CatalogueError(f"{content.path}: expected at most {limits.rows} postings, got more")
            _add(content, columns, cells, number, first_row, damaged=damaged)
    if columns is None:
        raise CatalogueError(f"{content.path}: expected a header row, got an empty file")


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


def _columns(cells: list[str], path: Path) -> list[str]:
    columns = [cell.strip() for cell in cells]
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise CatalogueError(
            f"{path}: row 1: expected the columns {', '.join(REQUIRED)} (and perhaps {', '.join(OPTIONAL)}), "
            f"missing {', '.join(missing)}; got {', '.join(columns)[:200]!r}"
        )
    repeated = sorted({name for name in columns if name in REQUIRED + OPTIONAL and columns.count(name) > 1})
    if repeated:
        raise CatalogueError(f"{path}: row 1: expected each column once, got {', '.join(repeated)} more than once")
    return columns


def _add(
    content: CsvCatalogue,
    columns: list[str],
    cells: list[str],
    row: int,
    first_row: dict[str, int],
    *,
    damaged: str | None,
) -> None:
    if damaged is not None:
        content.problems.append(RowProblem(row, None, damaged))
        return
    if len(cells) != len(columns):
        content.problems.append(RowProblem(row, None, f"expected {len(columns)} fields, got {len(cells)}"))
        return
    values = dict(zip(columns, cells, strict=True))
    posting_id, phash = values["posting_id"], values.get("image_phash", "")
    found = len(content.problems)
    if not is_posting_id(posting_id):
        expected = "expected 1–128 letters, digits or _ . : @ + ~ -, the first a letter, digit or _"
        content.problems.append(RowProblem(row, "posting_id", f"{expected}, got {posting_id[:80]!r}"))
    elif (earlier := first_row.setdefault(posting_id, row)) != row:
        content.problems.append(RowProblem(row, "posting_id", f"{posting_id!r} already stands in row {earlier}"))
    if phash and not _PHASH.fullmatch(phash):
        content.problems.append(RowProblem(row, "image_phash", f"expected 16 hexadecimal digits, got {phash[:80]!r}"))
    if len(content.problems) == found:
        content.rows.append(row)
        content.postings.append(
            Posting(
                posting_id=posting_id,
                image=values["image"] or None,
                title=decode_byte_escapes(values.get("title", "")),
                image_phash=phash.lower() or None,
                label_group=values.get("label_group") or None,
            )
        )
