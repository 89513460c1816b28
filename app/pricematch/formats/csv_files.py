"""CSV files: catalogues and feedback to read, submissions to write."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pricematch.catalogue.feedback import NO_FEEDBACK, Feedback
from pricematch.catalogue.postings import Posting, is_posting_id
from pricematch.catalogue.records import Decision, FeedbackChange
from pricematch.errors import CatalogueError, ImageError, RowProblem
from pricematch.formats.atomic_writes import write_whole
from pricematch.formats.posting_rows import PostingRow, RowLimits, csv_rows
from pricematch.search.candidates import Lists

_FEEDBACK_COLUMNS = ("posting_id", "other_posting_id", "verdict")
_DECISIONS: dict[str, Decision] = {"same": "same", "different": "different"}


@dataclass
class CsvCatalogue:
    """A catalogue file: the good postings with their record numbers, and the problems of the other rows."""

    path: Path
    postings: list[Posting] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)

    def add(self, row: PostingRow) -> None:
        """Add a row."""
        self.problems.extend(row.problems)
        if row.posting is not None:
            self.rows.append(row.number)
            self.postings.append(row.posting)

    def by_id(self) -> "CsvCatalogue":
        """The same with the postings in the order of their ids, which decides ties whatever the order of the file."""
        return self._of(sorted(zip(self.postings, self.rows, strict=True), key=lambda pair: pair[0].posting_id))

    def with_images(self) -> "CsvCatalogue":
        """The same without the postings that name no image."""
        return self._of([pair for pair in zip(self.postings, self.rows, strict=True) if pair[0].image is not None])

    def _of(self, pairs: Sequence[tuple[Posting, int]]) -> "CsvCatalogue":
        return CsvCatalogue(self.path, [posting for posting, _ in pairs], [row for _, row in pairs], self.problems)

    def image_problems(self, errors: Mapping[str, ImageError]) -> list[RowProblem]:
        """What is wrong with the images of the good postings, by row, given the errors by image name."""
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
        """The distinct image names, in order."""
        return list(dict.fromkeys(posting.image for posting in self.postings if posting.image is not None))


def read_csv(path: Path, limits: RowLimits) -> CsvCatalogue:
    """Read a catalogue; images are not looked at, and bad rows are put into `problems` for the caller to refuse.

    Raises:
        CatalogueError: the file as a whole is of no use: it cannot be read, lacks a column, is no CSV, has no rows
            or more than the limit.
    """
    content = CsvCatalogue(path)
    try:
        with path.open("rb") as file:
            for row in csv_rows(file, str(path), limits):
                content.add(row)
    except OSError as error:
        hint = "; `pricematch sample` draws a catalogue to try" if isinstance(error, FileNotFoundError) else ""
        raise CatalogueError(f"{path}: cannot be read ({error.strerror}){hint}") from error
    if not content.postings and not content.problems:
        raise CatalogueError(f"{path}: expected at least one posting, got none")
    return content


def write_submission(path: Path, posting_ids: Sequence[str], lists: Lists) -> None:
    """Write `posting_id,matches`, whole or not at all; the matches have spaces between them, the posting itself first.

    The lists are of the same n postings as the ids, of which none holds a comma or a space, 50 each at most. Raises
    SettingsError if the file cannot be written.
    """
    lines = ["posting_id,matches"]
    lines += [f"{name},{' '.join(posting_ids[row] for row in lists[line])}" for line, name in enumerate(posting_ids)]
    write_whole(path, ("\n".join(lines) + "\n").encode())


def read_feedback(path: Path, max_row_bytes: int) -> Feedback:
    """The feedback of a CSV file as `GET /verdicts.csv` exports it; of several decisions on one pair the last one.

    It is in UTF-8 and has the columns `posting_id`, `other_posting_id` and `verdict`; others are ignored.

    Raises:
        CatalogueError: it cannot be read, lacks a column, or has bad rows; names them.
    """
    csv.field_size_limit(max_row_bytes)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _feedback(path, csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CatalogueError(f"{path}: cannot be read ({reason})") from error


def _feedback(path: Path, rows: "csv.DictReader[str]") -> Feedback:
    missing = [name for name in _FEEDBACK_COLUMNS if name not in (rows.fieldnames or ())]
    if missing:
        raise CatalogueError(
            f"{path}: row 1: expected the columns {', '.join(_FEEDBACK_COLUMNS)}, missing {', '.join(missing)}"
        )
    problems: list[RowProblem] = []
    changes: dict[tuple[str, str], FeedbackChange] = {}
    for number, row in enumerate(rows, start=2):
        one, other, decision = row["posting_id"] or "", row["other_posting_id"] or "", row["verdict"] or ""
        if not (is_posting_id(one) and is_posting_id(other)) or one == other:
            problems.append(RowProblem(number, "posting_id", f"expected two ids, got {one[:80]!r} and {other[:80]!r}"))
        elif decision not in _DECISIONS:
            problems.append(RowProblem(number, "verdict", f"expected same or different, got {decision[:80]!r}"))
        else:
            pair = (min(one, other), max(one, other))
            changes[pair] = FeedbackChange(*pair, number, _DECISIONS[decision])
    if problems:
        raise CatalogueError(f"{path}: {len(problems)} bad row{'s' if len(problems) > 1 else ''}", problems)
    return NO_FEEDBACK.changed(changes.values())
