"""Rows of catalogue files as postings, whatever their format: what is checked of each, and what all together show."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pricematch.catalogue.byte_escapes import decode_byte_escapes
from pricematch.catalogue.labels import (
    EXAMPLES,
    as_label,
    counted,
    is_rounded,
    label_warnings,
    says_nothing,
    strip_blanks,
)
from pricematch.catalogue.metadata import NO_METADATA, Metadata
from pricematch.catalogue.postings import MAX_IMAGES, POSTING_ID_RULE, Posting, as_posting_id, is_posting_id
from pricematch.errors import FieldInvalid, RowProblem

IMAGE, IMAGES = "image", "images"
IMAGE_COLUMNS = (IMAGE, *(f"{IMAGE}_{place}" for place in range(2, MAX_IMAGES + 1)))
"""Columns that name an image each; `images` of NDJSON names them all."""
_TEXTS = ("posting_id", "image_phash", "title", "label_group")
COLUMNS = (*_TEXTS, *IMAGE_COLUMNS)
"""Columns of text of a file, in any order."""
_PHASH = re.compile(r"[0-9a-fA-F]{16}")
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class PostingRow:
    """One row of a catalogue file.

    Attributes:
        number: of the record in the file; the header of a CSV file is row 1.
        posting_id: as the row has it, shortened; None where it cannot be read.
        posting: the row as a posting; None where it is bad.
        problems: why it is bad.
        image_columns: the columns that name its images, by their places; none where `image` does.
    """

    number: int
    posting_id: str | None
    posting: Posting | None
    problems: Sequence[RowProblem] = ()
    image_columns: Sequence[str] = ()

    @classmethod
    def bad(cls, number: int, message: str) -> "PostingRow":
        """A row that cannot be read at all."""
        return cls(number, None, None, (RowProblem(number, None, message),))

    def image_problem(self, place: int, reason: str) -> RowProblem:
        """The problem of one of its images, by its place from 1, with the name of the image."""
        names = () if self.posting is None else self.posting.images
        column = self.image_columns[place - 1] if self.image_columns else IMAGE
        return image_problem(self.number, column, names[place - 1] if names else None, reason)


def image_problem(row: int, column: str, name: str | None, reason: str) -> RowProblem:
    """The problem of an image that a row names, or does not, in a column."""
    shown = name is None or repr(name) in reason
    return RowProblem(row, column, reason if shown else f"{str(name)[:200]!r}: {reason}")


class RowChecker:
    """Makes postings of rows, and remembers what only all rows together show.

    Attributes:
        labels: how many good rows have each label group.
        nothing: by column the cells that have a word for nothing, counted.
        rounded_ids: ids of good rows that read like rounded numbers.
    """

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self.labels = Counter[str]()
        self.nothing: dict[str, Counter[str]] = {column: Counter() for column in (*IMAGE_COLUMNS, IMAGES, *_TEXTS[1:])}
        self.rounded_ids = Counter[str]()

    def row(
        self,
        number: int,
        values: Mapping[str, str],
        metadata: Metadata | FieldInvalid = NO_METADATA,
        images: Sequence[str] | None = None,
    ) -> PostingRow:
        """A row by the names of its columns; those that are left out are empty, others are ignored.

        Args:
            number: of the row.
            values: by column.
            metadata: of the posting, or why it has none that may be.
            images: names of its images, where they are in one list and not in the columns `IMAGE_COLUMNS`.
        """
        cells = {column: strip_blanks(values.get(column, "")) for column in _TEXTS}
        posting_id, phash = as_posting_id(cells["posting_id"]), self._something("image_phash", cells)
        problems = []
        if not is_posting_id(posting_id):
            message = f"expected {POSTING_ID_RULE}, got {posting_id[:_SHOWN]!r}"
            problems.append(RowProblem(number, "posting_id", message))
        elif (earlier := self._first.setdefault(posting_id, number)) != number:
            problems.append(RowProblem(number, "posting_id", f"{posting_id!r} already stands in row {earlier}"))
        if phash and not _PHASH.fullmatch(phash):
            message = f"expected 16 hexadecimal digits, got {phash[:_SHOWN]!r}"
            problems.append(RowProblem(number, "image_phash", message))
        if isinstance(metadata, FieldInvalid):
            problems.append(RowProblem(number, metadata.field, metadata.reason))
        if problems or isinstance(metadata, FieldInvalid):
            return PostingRow(number, posting_id[:_SHOWN] or None, None, problems)
        if images is None:
            named = [(column, values[column]) for column in IMAGE_COLUMNS if column in values]
        else:
            named = [(IMAGES, name) for name in images]
        # closed up, and each once, in its first column
        shown = {name: column for column, name in reversed(named) if self._says_something(column, name)}
        columns = {name: shown[name] for _, name in named if name in shown}
        posting = Posting(
            posting_id=posting_id,
            image=None,
            title=decode_byte_escapes(values["title"]) if self._something("title", cells) else "",
            image_phash=phash.lower() or None,
            label_group=as_label(self._something("label_group", cells)),
            metadata=metadata,
        ).with_images(columns)
        if posting.label_group is not None:
            self.labels[posting.label_group] += 1
        if is_rounded(posting_id):
            self.rounded_ids[posting_id] += 1
        image_columns = () if list(columns.values()) in ([], [IMAGE]) else tuple(columns.values())
        return PostingRow(number, posting_id[:_SHOWN], posting, (), image_columns)

    def _something(self, column: str, cells: Mapping[str, str]) -> str:
        """The text of a cell, "" where it says nothing."""
        return cells[column] if self._says_something(column, cells[column]) else ""

    def _says_something(self, column: str, cell: str) -> bool:
        """Whether a cell says anything; words for nothing are counted."""
        if not says_nothing(text := strip_blanks(cell)):
            return True
        if text:
            self.nothing[column][text] += 1
        return False

    def warnings(self, shown: int = EXAMPLES) -> list[str]:
        """What is odd in the good rows of before, a sentence for each column and kind."""
        found = [
            f"{column}: {words.total()} cells say nothing ({counted(words, shown)}), and count as empty"
            for column, words in self.nothing.items()
            if words
        ]
        if self.rounded_ids:
            found.append(
                f"posting_id: {self.rounded_ids.total()} ids read like numbers that a spreadsheet rounded "
                f"({counted(self.rounded_ids, shown)}): format the column as text, and export it again"
            )
        return [*found, *(f"label_group: {warning}" for warning in label_warnings(self.labels, shown))]
