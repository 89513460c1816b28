"""Rows of a table of computed values, for a few pictures or for very many."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Literal

_AT_ONCE = 500
_SCANNED_FROM = 5_000
"""Pictures from which on reading a whole table is quicker than asking for each; measured by `benchmarks/store.py`."""


def rows_of(
    connection: sqlite3.Connection, table: Literal["embedding", "hash"], number: int, digests: Sequence[bytes]
) -> Iterator[list[tuple[bytes, Any]]]:
    """Digest and value of those pictures for which something is kept, some at a time.

    Args:
        connection: in a transaction.
        table: which values.
        number: stands for their key.
        digests: the pictures.
    """
    statement = f"SELECT digest, value FROM {table} WHERE number = ?"
    if len(digests) >= _SCANNED_FROM:
        wanted, cursor = set(digests), connection.execute(statement, (number,))
        while rows := cursor.fetchmany(_AT_ONCE):
            yield [row for row in rows if row[0] in wanted]
        return
    rest = iter(digests)
    while some := list(islice(rest, _AT_ONCE)):
        marks = ", ".join("?" * len(some))
        yield connection.execute(f"{statement} AND digest IN ({marks})", (number, *some)).fetchall()
