"""A file of postings, CSV or NDJSON by what it begins with."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pricematch.catalogue.posting_rows import PostingRow, RowLimits
from pricematch.errors import CatalogueError
from pricematch.formats.csv_rows import csv_rows
from pricematch.formats.ndjson_rows import ndjson_rows

_LOOKED_AT = 4096


def posting_rows(path: Path, name: str, limits: RowLimits) -> Iterator[PostingRow]:
    """The rows of a file; it is NDJSON if its first character but spaces opens a JSON object, else CSV.

    Args:
        path: where it is.
        name: what errors call it.
        limits: sizes beyond which it is refused.

    Raises:
        CatalogueError: the file as a whole is of no use, or cannot be read; perhaps after some rows.
    """
    try:
        with path.open("rb") as file:
            read = ndjson_rows if _opens_object(file) else csv_rows
            yield from read(file, name, limits)
    except OSError as error:
        raise CatalogueError(f"{name}: cannot be read ({error.strerror})") from error


def check_rows(path: Path, name: str, limits: RowLimits) -> None:
    """Raise CatalogueError if a file cannot be one of postings, as far as its first row tells."""
    if next(posting_rows(path, name, limits), None) is None:
        raise CatalogueError(f"{name}: expected at least one posting, got none")


def _opens_object(file: BinaryIO) -> bool:
    beginning = file.read(_LOOKED_AT)
    file.seek(0)
    return beginning.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
