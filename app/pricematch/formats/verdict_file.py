"""Reads verdicts in the CSV format that the service exports them in."""

import csv
from pathlib import Path

from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback
from pricematch.catalogue.postings import is_posting_id
from pricematch.catalogue.records import Decision, FeedbackChange
from pricematch.errors import CatalogueError, RowProblem

COLUMNS = ("posting_id", "other_posting_id", "verdict")
_DECISIONS: dict[str, Decision] = {"same": "same", "different": "different"}


def read_verdicts(path: Path, max_row_bytes: int) -> Feedback:
    """The verdicts of a file; of several on one pair the last one.

    Args:
        path: CSV in UTF-8 with the columns `COLUMNS`; others are ignored.
        max_row_bytes: of one row.

    Raises:
        CatalogueError: it cannot be read, lacks a column, or has bad rows; names them.
    """
    csv.field_size_limit(max_row_bytes)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(path, csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CatalogueError(f"{path}: cannot be read ({reason})") from error


def _read(path: Path, rows: "csv.DictReader[str]") -> Feedback:
    missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise CatalogueError(f"{path}: row 1: expected the columns {', '.join(COLUMNS)}, missing {', '.join(missing)}")
    problems: list[RowProblem] = []
    said: dict[tuple[str, str], FeedbackChange] = {}
    for number, row in enumerate(rows, start=2):
        one, other, decision = row["posting_id"] or "", row["other_posting_id"] or "", row["verdict"] or ""
        if not (is_posting_id(one) and is_posting_id(other)) or one == other:
            problems.append(RowProblem(number, "posting_id", f"expected two ids, got {one[:80]!r} and {other[:80]!r}"))
        elif decision not in _DECISIONS:
            problems.append(RowProblem(number, "verdict", f"expected same or different, got {decision[:80]!r}"))
        else:
            pair = (min(one, other), max(one, other))
            said[pair] = FeedbackChange(*pair, number, _DECISIONS[decision])
    if problems:
        raise CatalogueError(f"{path}: {len(problems)} bad row{'s' if len(problems) > 1 else ''}", problems)
    return NO_FEEDBACK.changed(said.values())
