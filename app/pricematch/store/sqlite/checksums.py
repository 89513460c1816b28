"""A checksum in every row: bytes that a disk altered are told, also where they are no damage to SQLite."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType
from typing import Any, TypeAlias

from pricematch.errors import RowDamaged

Row: TypeAlias = tuple[Any, ...]
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "posting": (
            *("posting_id", "image", "title", "image_phash", "label_group", "revision", "metadata", "more_images"),
        ),
        "verdict": ("first", "second", "decision", "revision", "decided_at", "decided_by", "note"),
        "verdict_batch": (
            *("number", "batch_id", "decided_by", "note", "decided_at", "created", "changed", "unchanged"),
            *("undone_at", "restored", "kept"),
        ),
        "verdict_batch_item": (
            *("batch", "first", "second", "decision"),
            *("before_decision", "before_at", "before_by", "before_note"),
        ),
        "active_model": ("name", "version", "revision"),
        "webhook": ("url", "revision", "began"),
        "job": (
            *("job_id", "kind", "spec", "state", "done", "total", "cancelling", "reason", "created_at", "changed_at"),
            *("created", "replaced", "unchanged", "failed", "result"),
        ),
        "job_problem": ("job", "row", "column", "message", "posting_id"),
        "computed_key": ("key", "dimension"),
        "embedding": ("number", "digest", "value"),
        "hash": ("number", "digest", "value"),
        "field": ("name", "type", "evidence"),
        "answer": ("key", "fingerprint", "status", "headers", "body", "at"),
        "product": ("number", "size", "into_number", "doubt", "created_at", "changed_at", "revision"),
        "product_member": ("posting_id", "number"),
        "product_event": ("revision", "number", "kind", "cause", "joined", "gone", "size", "into_number", "at"),
    }
)
"""Columns that a row's checksum covers, in its order, by table."""
COMPUTED = ("embedding", "hash")
"""Tables that can be large, and whose rows are computed again where they are damaged."""
_AT_ONCE = 1000
_NAMED_BY: Mapping[str, int] = MappingProxyType({"verdict": 2, "verdict_batch_item": 3})
"""How many of the first columns name a row; one if absent."""
_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "active_model": "choice of a model",
        "field": "declared field",
        "answer": "kept answer",
        "computed_key": "key of embeddings",
    }
)


def row_checksum(values: Sequence[Any]) -> bytes:
    """Eight bytes of a digest of a row's values: text, bytes, numbers, None."""
    parts = []
    for value in values:
        if value is None:
            parts.append(b"-")
        else:
            content = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
            parts.append(b"%d:%b" % (len(content), content))
    return blake2b(b",".join(parts), digest_size=8).digest()


def insertion(table: str, verb: str = "INSERT") -> str:
    """A statement that inserts a row; it takes `sealed` values."""
    columns = COLUMNS[table]
    return f"{verb} INTO {table} ({', '.join(columns)}, checksum) VALUES ({', '.join('?' * (len(columns) + 1))})"


def sealed(*values: Any) -> Row:
    """The values of a row, and their checksum."""
    return (*values, row_checksum(values))


def selected(table: str) -> str:
    """The columns of a table to be read, with the checksum at their end."""
    return f"{', '.join(COLUMNS[table])}, checksum"


def is_sound(row: Row) -> bool:
    """Whether a row, as `selected` reads it, is as it was written."""
    return bool(row[-1] == row_checksum(row[:-1]))


def opened(table: str, row: Row) -> Row:
    """The values of a row as `selected` reads it; raises RowDamaged if it is not as it was written."""
    if not is_sound(row):
        raise RowDamaged(
            f"{name_of(table, row)} is damaged on the disk; put it again, delete it, or restore a backup "
            "(`pricematch verify` lists all that is damaged, and says what to do)"
        )
    return row[:-1]


def name_of(table: str, row: Row) -> str:
    """A name of a row for a sentence, such as `the posting 'a'`."""
    names = " and ".join(repr(value)[:80] for value in row[: _NAMED_BY.get(table, 1)])
    return f"the {_KINDS.get(table, table.replace('_', ' '))} {names}"


def damaged_rows(connection: sqlite3.Connection, table: str) -> Iterator[tuple[int, str]]:
    """The number and name of each row of a table that is not as it was written."""
    for number, *values in connection.execute(f"SELECT rowid, {selected(table)} FROM {table}"):
        if not is_sound(tuple(values)):
            yield number, name_of(table, tuple(values))


def delete_damaged(connection: sqlite3.Connection, table: str) -> list[str]:
    """Delete the rows of a table that are not as they were written; their names."""
    damaged = list(damaged_rows(connection, table))
    connection.executemany(f"DELETE FROM {table} WHERE rowid = ?", [(number,) for number, _ in damaged])
    return [name for _, name in damaged]


def count_rows(connection: sqlite3.Connection, table: str) -> int:
    """How many rows a table has."""
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def seal_rows(connection: sqlite3.Connection, before: Mapping[str, Sequence[str]] = MappingProxyType({})) -> None:
    """Give rows the checksums of the columns that their tables have by now.

    Args:
        connection: to the database; a transaction is open.
        before: the columns that checksums covered up to now, by the tables whose rows are meant; a row that is not as
            it was written keeps its checksum. Left out, all rows are meant, and are taken for right.
    """
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in before or COLUMNS.keys() & there:
        known = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
        columns = [column for column in COLUMNS[table] if column in known]
        covered = [columns.index(column) for column in before.get(table, ())]
        some = f"SELECT rowid, checksum, {', '.join(columns)} FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?"
        last = 0
        while rows := connection.execute(some, (last, _AT_ONCE)).fetchall():
            checksums = [
                (row_checksum(values), number)
                for number, checksum, *values in rows
                if not before or checksum == row_checksum([values[place] for place in covered])
            ]
            connection.executemany(f"UPDATE {table} SET checksum = ? WHERE rowid = ?", checksums)
            last = rows[-1][0]
