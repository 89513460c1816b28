"""Postings, products and verdicts that are not as they must be, and what was never there."""

from collections.abc import Sequence
from dataclasses import dataclass

from pricematch.errors.base import SHOWN_PROBLEMS, PricematchError


@dataclass(frozen=True)
class RowProblem:
    """A problem of one row of a catalogue file.

    Attributes:
        row: record number in the file, the header being row 1 (as a spreadsheet counts); 0 for the file as a whole.
        column: name of the column, or None where the whole row is meant.
        message: what was expected and what came.
        posting_id: as the row has it, where that is given too.
    """

    row: int
    column: str | None
    message: str
    posting_id: str | None = None

    def __str__(self) -> str:
        place = f"row {self.row}" if self.column is None else f"row {self.row}, column {self.column}"
        return f"{place}: {self.message}"


class CatalogueError(PricematchError):
    """A catalogue cannot be used.

    Attributes:
        problems: every bad row; empty where the file as a whole is at fault. The text shows the first 20 and a count.
    """

    def __init__(self, message: str, problems: Sequence[RowProblem] = ()) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.row))
        lines = [message, *(f"  {problem}" for problem in self.problems[:SHOWN_PROBLEMS])]
        hidden = len(self.problems) - SHOWN_PROBLEMS
        if hidden > 0:
            lines.append(f"  … and {hidden} more")
        super().__init__("\n".join(lines))


class FieldInvalid(PricematchError):
    """A field of a posting, or something in its metadata, is not as it must be.

    Attributes:
        field: its name, or the path of what is meant, such as `metadata.brand.name`.
        reason: what was expected and what came.
    """

    def __init__(self, field: str, reason: str) -> None:
        self.field, self.reason = field, reason
        super().__init__(f"{field}: {reason}")


class ItemsRefused(PricematchError):
    """Some of many items cannot be used, so nothing is done.

    Attributes:
        faults: where each is, such as `decisions.3.left`, and what was expected and what came.
    """

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{place}: {message}" for place, message in self.faults[:SHOWN_PROBLEMS]))


class ImportRefused(PricematchError):
    """What is to be imported cannot be as a whole: no archive, a dangerous one, a folder that is not to be read."""


class PostingNotFound(PricematchError):
    """No posting has this id."""

    def __init__(self, posting_id: str) -> None:
        super().__init__(f"no posting has the id {posting_id!r}")


class FeedbackNotFound(PricematchError):
    """There is no feedback on these two postings."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"there is no verdict on the postings {one!r} and {other!r}")


class BatchNotFound(PricematchError):
    """No batch of feedback has this id, or it was forgotten."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"no batch of verdicts that is kept has the id {batch_id!r}")


class JobNotFound(PricematchError):
    """No job has this id."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no job has the id {job_id!r}")


class ProductNotFound(PricematchError):
    """There never was such a product."""

    def __init__(self, product_id: str) -> None:
        super().__init__(f"there never was a product {product_id}")


class ProductGone(PricematchError):
    """None of a product's postings is left."""

    def __init__(self, product_id: str) -> None:
        super().__init__(f"none of the postings of product {product_id} is left; its history goes on being answered")


class ProductMerged(PricematchError):
    """A product has merged into another.

    Attributes:
        into: number of the other one.
    """

    def __init__(self, product_id: str, into: int) -> None:
        super().__init__(f"product {product_id} has merged into another")
        self.into = into


class ProductsUnknown(PricematchError):
    """Products could not be kept, and are not known until they can be."""

    def __init__(self) -> None:
        super().__init__("products could not be kept, as the log says; they are known again as soon as they can be")


class ProductsChanged(PricematchError):
    """Another process or thread has written products since they were read; read them anew."""


class FilterInvalid(PricematchError):
    """A filter of postings cannot be read; says where, and what was expected there."""


class FieldNotDeclared(PricematchError):
    """A filter by a field that is not declared would have to look into more postings than it may."""


class FieldNotFound(PricematchError):
    """No field of this name is declared."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no field {name!r} is declared")


class HistoryLost(PricematchError):
    """The changes since a version are too long ago to be listed one by one.

    Attributes:
        start_at: the version from which on they are known to whoever has read everything after it was given.
    """

    def __init__(self, message: str, start_at: int) -> None:
        super().__init__(message)
        self.start_at = start_at


class VersionUnknown(PricematchError):
    """A version of the catalogue is yet to come, or is one of another store.

    Attributes:
        latest: the version there is.
    """

    def __init__(self, got: int, latest: int) -> None:
        self.latest = latest
        super().__init__(f"expected a version of the catalogue from 0 to {latest}, got {got}")
