"""Embeddings and hashes of images in SQLite."""

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.store.sqlite.database import Database

_AT_ONCE = 500
_SCANNED_FROM = 5_000
"""Images from which on reading a whole table is quicker than asking for each; measured by `benchmarks/store.py`."""
_log = logging.getLogger("pricematch")
_FLOAT = np.dtype("<f4")
_LENGTH_TOLERANCE = 1e-3
_NUMBER = "SELECT number, dimension FROM computed_key WHERE key = ?"
_OF_EMBEDDINGS = f"{_NUMBER} AND dimension IS NOT NULL"


def rows_of(
    connection: sqlite3.Connection, table: Literal["embedding", "hash"], number: int, digests: Sequence[bytes]
) -> Iterator[list[tuple[bytes, Any]]]:
    """Digest and value of those images for which something is kept, some at a time."""
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


class SqliteComputed:
    """Implements `ports.ComputedStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def embeddings(self, key: str, digests: Sequence[bytes]) -> Mapping[bytes, NDArray[np.float32]]:
        """See the port; embeddings that are damaged are left out and logged."""
        found: dict[bytes, NDArray[np.float32]] = {}
        damaged = 0
        with self._database.read() as connection:
            for number, dimension in connection.execute(_OF_EMBEDDINGS, (key,)).fetchall():
                for rows in rows_of(connection, "embedding", number, digests):
                    sound = dict(_sound(rows, dimension))
                    damaged += len(rows) - len(sound)
                    found.update(sound)
        if damaged:
            _log.warning("%d embeddings of %s are damaged, and computed again", damaged, key)
        return found

    def keep_embeddings(self, key: str, digests: Sequence[bytes], embeddings: Embeddings) -> None:
        """See the port; raises ValueError for another length than the key's embeddings have."""
        if embeddings.ndim != 2 or len(embeddings) != len(digests):
            raise ValueError(f"expected {len(digests)} embeddings, got an array of shape {list(embeddings.shape)}")
        values = np.ascontiguousarray(embeddings, _FLOAT)
        with self._database.write() as connection:
            number = _number(connection, key, values.shape[1])
            rows = ((number, digest, value.tobytes()) for digest, value in zip(digests, values, strict=True))
            connection.executemany("INSERT OR REPLACE INTO embedding VALUES (?, ?, ?)", rows)

    def hashes(self, key: str, digests: Sequence[bytes]) -> Mapping[bytes, str]:
        """See the port."""
        with self._database.read() as connection:
            found = connection.execute(_NUMBER, (key,)).fetchone()
            return {} if found is None else dict(chain.from_iterable(rows_of(connection, "hash", found[0], digests)))

    def keep_hashes(self, key: str, digests: Sequence[bytes], hashes: Sequence[str]) -> None:
        """See the port."""
        with self._database.write() as connection:
            number = _number(connection, key, None)
            rows = ((number, digest, value) for digest, value in zip(digests, hashes, strict=True))
            connection.executemany("INSERT OR REPLACE INTO hash VALUES (?, ?, ?)", rows)


def _number(connection: sqlite3.Connection, key: str, dimension: int | None) -> int:
    """The number that stands for a key, a new one if need be; raises ValueError if it is of another dimension."""
    connection.execute("INSERT OR IGNORE INTO computed_key (key, dimension) VALUES (?, ?)", (key, dimension))
    number, kept = connection.execute(_NUMBER, (key,)).fetchone()
    if kept != dimension:
        raise ValueError(f"expected values of dimension {kept} under {key!r}, got {dimension}")
    return int(number)


def _sound(rows: Sequence[tuple[bytes, bytes]], dimension: int) -> Iterator[tuple[bytes, NDArray[np.float32]]]:
    """The embeddings that are what they should be: of one length, and unit vectors."""
    whole = [(digest, value) for digest, value in rows if len(value) == dimension * _FLOAT.itemsize]
    values = np.frombuffer(b"".join(value for _, value in whole), _FLOAT).reshape(len(whole), dimension)
    with np.errstate(invalid="ignore", over="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", values, values))
        unit = np.abs(lengths - 1) < _LENGTH_TOLERANCE  # false for what is not finite
    for (digest, _), value, good in zip(whole, values.astype(np.float32, copy=False), unit.tolist(), strict=True):
        if good:
            yield digest, value
