"""CSV files: catalogues to read, submissions to write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pricematch.catalogue.labels import is_rounded
from pricematch.catalogue.postings import Posting
from pricematch.errors import CatalogueError, ImageError, RowProblem
from pricematch.formats.atomic_writes import write_whole
from pricematch.formats.posting_rows import DETECTED, PostingRows, RowLimits, TextFormat
from pricematch.formats.row_checks import IMAGE, PostingRow, image_problem
from pricematch.search.candidates import Lists


@dataclass
class CsvCatalogue:
    """A catalogue file: the good postings with their record numbers, the problems of the others, and warnings."""

    path: Path
    postings: list[Posting] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    warnings: Sequence[str] = ()
    image_columns: dict[int, Sequence[str]] = field(default_factory=dict)
    """By record number the columns that name the images of a posting, where they are others than `image`."""

    def add(self, row: PostingRow) -> None:
        """Add a row."""
        self.problems.extend(row.problems)
        if row.posting is not None:
            self.rows.append(row.number)
            if row.image_columns:
                self.image_columns[row.number] = row.image_columns
            self.postings.append(row.posting)

    def by_id(self) -> "CsvCatalogue":
        """The same with the postings in the order of their ids, which decides ties whatever the order of the file."""
        return self._of(sorted(zip(self.postings, self.rows, strict=True), key=lambda pair: pair[0].posting_id))

    def with_images(self) -> "CsvCatalogue":
        """The same without the postings that name no image."""
        return self._of([pair for pair in zip(self.postings, self.rows, strict=True) if pair[0].image is not None])

    def without_rounded_labels(self) -> "CsvCatalogue":
        """The same without labels such as 2.49115E+11: several products may share what a spreadsheet rounded."""
        postings = [
            replace(it, label_group=None) if it.label_group is not None and is_rounded(it.label_group) else it
            for it in self.postings
        ]
        return replace(self, postings=postings)

    def _of(self, pairs: Sequence[tuple[Posting, int]]) -> "CsvCatalogue":
        postings, rows = [posting for posting, _ in pairs], [row for _, row in pairs]
        return replace(self, postings=postings, rows=rows)

    def image_problems(self, errors: Mapping[str, ImageError]) -> list[RowProblem]:
        """What is wrong with the images of the good postings, by row, given the errors by image name."""
        problems = []
        for row, posting in self._by_row():
            if posting.image is None:
                problems.append(RowProblem(row, IMAGE, "expected a file name, got nothing"))
            columns = self.image_columns.get(row, (IMAGE,))
            problems += [
                image_problem(row, column, name, str(errors[name]))
                for column, name in zip(columns, posting.images, strict=False)
                if name in errors
            ]
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
        return list(dict.fromkeys(name for posting in self.postings for name in posting.images))


def read_csv(path: Path, limits: RowLimits, given: TextFormat = DETECTED) -> CsvCatalogue:
    """Read a catalogue; images are not looked at, and bad rows are put into `problems` for the caller to refuse.

    NDJSON is read as well. What is odd in the file but no reason to refuse it is put into `warnings`.

    Raises:
        CatalogueError: the file as a whole is of no use: it cannot be read, lacks a column, is no CSV, has no rows
            or more than the limit.
    """
    content, rows = CsvCatalogue(path), PostingRows(path, str(path), limits, given)
    try:
        for row in rows:
            content.add(row)
    except CatalogueError as error:
        hint = "; `pricematch sample` draws a catalogue to try"
        raise CatalogueError(f"{error}{hint}") if isinstance(error.__cause__, FileNotFoundError) else error from None
    content.warnings = rows.warnings()
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
