"""Rows of a table of computed values, for a few pictures or for very many."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Literal

_ASKED_AT_ONCE = 500
_SCANNED_FROM = 5_000
"""Pictures from which on reading a whole table is quicker than asking for each; measured by `benchmarks/store.py`."""


def rows_of(
    connection: sqlite3.Connection, table: Literal["embedding", "hash"], number: int, digests: Sequence[bytes]
) -> list[tuple[bytes, Any]]:
    """Digest and value of those pictures for which something is kept.

    Args:
        connection: in a transaction.
        table: which values.
        number: stands for their key.
        digests: the pictures.
    """
    if len(digests) >= _SCANNED_FROM:
        wanted = set(digests)
        rows = connection.execute(f"SELECT digest, value FROM {table} WHERE number = ?", (number,))
        return [row for row in rows if row[0] in wanted]
    found: list[tuple[bytes, Any]] = []
    for some in _batches(digests):
        marks = ", ".join("?" * len(some))
        statement = f"SELECT digest, value FROM {table} WHERE number = ? AND digest IN ({marks})"
        found.extend(connection.execute(statement, (number, *some)))
    return found


def _batches(digests: Sequence[bytes]) -> Iterator[list[bytes]]:
    rest = iter(digests)
    while some := list(islice(rest, _ASKED_AT_ONCE)):
        yield some
