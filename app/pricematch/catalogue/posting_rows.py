"""Rows of a catalogue file as postings, checked the same way whatever its format."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pricematch.catalogue.postings import Posting, decode_byte_escapes, is_posting_id
from pricematch.errors import RowProblem

REQUIRED = ("posting_id", "image")
OPTIONAL = ("image_phash", "title", "label_group")
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
        posting_id: as the row has it, shortened; None where it cannot be told.
        posting: what it says; None where it is bad.
        problems: why it is.
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
    """Makes postings of what rows say, and remembers the ids there were."""

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
