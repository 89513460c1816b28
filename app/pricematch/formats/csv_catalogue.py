"""Reads a catalogue in the CSV format of Kaggle's Shopee price-match data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pricematch.catalogue.posting_rows import PostingRow, RowLimits
from pricematch.catalogue.postings import Posting
from pricematch.errors import CatalogueError, ImageError, RowProblem
from pricematch.formats.csv_rows import csv_rows


@dataclass
class CsvCatalogue:
    """What a file holds: the good postings with their record numbers, and what is wrong with the other rows."""

    path: Path
    postings: list[Posting] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)

    def add(self, row: PostingRow) -> None:
        """Take in one more row."""
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


def read_csv(path: Path, limits: RowLimits) -> CsvCatalogue:
    """Read a catalogue; pictures are not looked at, and bad rows are put into `problems` for the caller to refuse.

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
