"""Files of feedback, CSV or NDJSON: what is exported is taken back as it was."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback
from pricematch.catalogue.labels import strip_blanks
from pricematch.catalogue.postings import as_posting_id, is_posting_id
from pricematch.catalogue.records import Decision, FeedbackChange, PairFeedback, as_author, as_note
from pricematch.errors import CatalogueError, RowProblem
from pricematch.formats.csv_records import CsvRecords
from pricematch.formats.json_lines import BadLine, fields_of, texts_of
from pricematch.formats.text_lines import TextError, TextLines

COLUMNS = ("posting_id", "other_posting_id", "verdict", "decided_at", "by", "note")
_REQUIRED, _REMARKS = COLUMNS[:3], ("by", "note")
_DECISIONS: dict[str, Decision] = {"same": "same", "different": "different"}
_FORMULA = "=+-@\t\r\n"
"""With one of these a cell begins that a spreadsheet may take for a formula."""
NDJSON = (".ndjson", ".jsonl")
"""Endings of the names of NDJSON files; others are CSV."""
_LATEST = datetime(3000, 1, 1, tzinfo=UTC).timestamp()
T = TypeVar("T")


def to_csv(feedback: Iterable[PairFeedback]) -> str:
    """Feedback as CSV; an author or note that looks like a formula has an apostrophe before it."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for it in feedback:
        fields = _fields(it)
        writer.writerow([_as_text(fields[name] or "") if name in _REMARKS else fields[name] for name in COLUMNS])
    return file.getvalue()


def to_ndjson(feedback: Iterable[PairFeedback]) -> str:
    """Feedback as NDJSON, an object on each line."""
    return "".join(json.dumps(_fields(it), ensure_ascii=False) + "\n" for it in feedback)


def read_feedback(path: Path, max_row_bytes: int) -> Feedback:
    """The decisions of a file; of several on one pair the last one.

    It has the fields `posting_id`, `other_posting_id` and `verdict`; others are ignored. Encoding and delimiter are
    detected, since people open such files with spreadsheets.

    Raises:
        CatalogueError: it cannot be read, lacks a column, or has bad rows; names them.
    """
    found = _checked(path, max_row_bytes, _decision_of)
    return NO_FEEDBACK.changed({it[:2]: FeedbackChange(*it[:2], number, it[2]) for number, it in found}.values())


def read_whole_feedback(path: Path, max_row_bytes: int, now: float) -> Sequence[PairFeedback]:
    """All that a file says, with times, authors and notes where it has them; each pair once.

    Args:
        path: of the file.
        max_row_bytes: of one row.
        now: when decisions were made that have no time; seconds since 1970, UTC.

    Raises:
        CatalogueError: it cannot be read, lacks a column, or has bad rows; names them.
    """
    first = dict[tuple[str, str], int]()

    def whole(number: int, row: Mapping[str, str]) -> PairFeedback:
        one, other, decision = _decision_of(number, row)
        if (earlier := first.setdefault((one, other), number)) != number:
            raise _BadField("posting_id", f"the pair of {one!r} and {other!r} already stands in row {earlier}")
        by, note = (_checked_field(name, read, row.get(name, "")) for name, read in _REMARK_READERS)
        time = _checked_field("decided_at", _time, row["decided_at"]) if row.get("decided_at") else now
        return PairFeedback(one, other, decision, 0, time, by, note or "")

    return [it for _, it in _checked(path, max_row_bytes, whole)]


class _BadField(Exception):
    def __init__(self, column: str, message: str) -> None:
        self.problem = column, message


_REMARK_READERS: tuple[tuple[str, Callable[[str], str | None]], ...] = (("by", as_author), ("note", as_note))


def _fields(it: PairFeedback) -> dict[str, str | None]:
    decided_at = datetime.fromtimestamp(it.decided_at, UTC).isoformat()
    return dict(zip(COLUMNS, (it.first, it.second, it.decision, decided_at, it.by, it.note), strict=True))


def _as_text(cell: str) -> str:
    return f"'{cell}" if _is_formula(cell.lstrip("'")) else cell


def _as_told(cell: str) -> str:
    """The inverse of `_as_text`."""
    return cell[1:] if cell[:1] == "'" and _is_formula(cell.lstrip("'")) else cell


def _is_formula(cell: str) -> bool:
    return cell.startswith(tuple(_FORMULA))


def _checked(path: Path, max_row_bytes: int, made: Callable[[int, Mapping[str, str]], T]) -> list[tuple[int, T]]:
    """What is made of each row, and its number; raises CatalogueError for all bad rows at once."""
    problems, found = list[RowProblem](), list[tuple[int, T]]()
    try:
        with path.open("rb") as file:
            lines = TextLines(file, max_row_bytes)
            read = _json_rows if path.suffix.lower() in NDJSON else _csv_rows
            for number, row in read(path, lines, max_row_bytes):
                if isinstance(row, str):
                    problems.append(RowProblem(number, None, row))
                    continue
                try:
                    found.append((number, made(number, row)))
                except _BadField as error:
                    problems.append(RowProblem(number, *error.problem))
    except OSError as error:
        raise CatalogueError(f"{path}: cannot be read ({error.strerror})") from error
    if problems:
        raise CatalogueError(f"{path}: {len(problems)} bad row{'s' if len(problems) > 1 else ''}", problems)
    return found


def _csv_rows(path: Path, lines: TextLines, limit: int) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    records = CsvRecords(lines, str(path), limit, _REQUIRED, COLUMNS[len(_REQUIRED) :])
    for number, cells in records:
        fault = cells if isinstance(cells, str) else lines.undecoded("".join(cells))
        row = dict(zip(records.columns, cells, strict=True)) if fault is None else {}
        yield number, fault or {name: _as_told(cell) if name in _REMARKS else cell for name, cell in row.items()}


def _json_rows(path: Path, lines: TextLines, limit: int) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    try:
        for line in lines:
            if line is None:
                yield lines.number, f"expected at most {limit} bytes, got more"
            elif line.strip():
                try:
                    yield lines.number, lines.undecoded(line) or texts_of(fields_of(line), COLUMNS)
                except BadLine as error:
                    yield lines.number, str(error)
    except TextError as error:
        raise CatalogueError(f"{path}: {error}") from error


def _decision_of(_: int, row: Mapping[str, str]) -> tuple[str, str, Decision]:
    """The pair of a row, the lower id first, and the decision on it."""
    one, other = (as_posting_id(strip_blanks(row.get(name, ""))) for name in _REQUIRED[:2])
    if not (is_posting_id(one) and is_posting_id(other)) or one == other:
        raise _BadField("posting_id", f"expected two ids, got {one[:80]!r} and {other[:80]!r}")
    if (verdict := strip_blanks(row.get("verdict", ""))) not in _DECISIONS:
        raise _BadField("verdict", f"expected same or different, got {verdict[:80]!r}")
    return min(one, other), max(one, other), _DECISIONS[verdict]


def _checked_field(name: str, read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ValueError as error:
        raise _BadField(name, str(error)) from error


def _time(text: str) -> float:
    """Seconds since 1970; raises ValueError."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"expected a time such as 2026-07-01T12:30:00+00:00, got {text[:40]!r}") from None
    if found.tzinfo is None:
        raise ValueError(f"expected a time with its distance from UTC, such as +00:00, got {text[:40]!r}")
    if not 0 <= (seconds := found.timestamp()) < _LATEST:
        raise ValueError(f"expected a time from 1970 to 2999, got {text[:40]!r}")
    return seconds
