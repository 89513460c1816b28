"""Embeddings and hashes of images in SQLite."""

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.store.sqlite.checksums import Row, insertion, is_sound, opened, sealed, selected
from pricematch.store.sqlite.database import Database

_AT_ONCE = 500
_SCANNED_FROM = 5_000
"""Images from which on reading a whole table is quicker than asking for each; measured by `benchmarks/store.py`."""
_log = logging.getLogger("pricematch")
_FLOAT = np.dtype("<f4")
_LENGTH_TOLERANCE = 1e-3
_Table: TypeAlias = Literal["embedding", "hash"]


def _rows_of(connection: sqlite3.Connection, table: _Table, number: int, digests: Sequence[bytes]) -> Iterator[Row]:
    """What is kept of some images, as `checksums.selected` reads it."""
    statement = f"SELECT {selected(table)} FROM {table} WHERE number = ?"
    if len(digests) >= _SCANNED_FROM:
        wanted = set(digests)
        yield from (row for row in connection.execute(statement, (number,)) if row[1] in wanted)
        return
    rest = iter(digests)
    while some := list(islice(rest, _AT_ONCE)):
        marks = ", ".join("?" * len(some))
        yield from connection.execute(f"{statement} AND digest IN ({marks})", (number, *some)).fetchall()


class SqliteComputed:
    """Implements `ports.ComputedStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def embeddings(self, key: str, digests: Sequence[bytes]) -> Mapping[bytes, NDArray[np.float32]]:
        """See the port; embeddings that are damaged are left out and logged."""
        found: dict[bytes, NDArray[np.float32]] = {}
        damaged = 0
        with self._database.read() as connection:
            number, dimension = _number(connection, key) or (0, None)
            if dimension is None:
                return found
            kept = _rows_of(connection, "embedding", number, digests)
            while rows := list(islice(kept, _AT_ONCE)):
                sound = dict(_sound(rows, dimension))
                damaged += len({row[1] for row in rows}) - len(sound)
                found.update(sound)
        _tell("embeddings", key, damaged)
        return found

    def keep_embeddings(self, key: str, digests: Sequence[bytes], embeddings: Embeddings) -> None:
        """See the port; raises ValueError for another length than the key's embeddings have."""
        if embeddings.ndim != 2 or len(embeddings) != len(digests):
            raise ValueError(f"expected {len(digests)} embeddings, got an array of shape {list(embeddings.shape)}")
        values = np.ascontiguousarray(embeddings, _FLOAT)
        with self._database.write(witness=False) as connection:
            number = _made_number(connection, key, values.shape[1])
            rows = (sealed(number, digest, value.tobytes()) for digest, value in zip(digests, values, strict=True))
            connection.executemany(insertion("embedding", "INSERT OR REPLACE"), rows)

    def hashes(self, key: str, digests: Sequence[bytes]) -> Mapping[bytes, str]:
        """See the port; hashes that are damaged are left out and logged."""
        with self._database.read() as connection:
            number, _ = _number(connection, key) or (0, None)
            rows = list(_rows_of(connection, "hash", number, digests))
        sound = [(row[1], row[2]) for row in rows if is_sound(row)]
        _tell("hashes", key, len(rows) - len(sound))
        return dict(sound)

    def keep_hashes(self, key: str, digests: Sequence[bytes], hashes: Sequence[str]) -> None:
        """See the port."""
        with self._database.write(witness=False) as connection:
            number = _made_number(connection, key, None)
            rows = (sealed(number, digest, value) for digest, value in zip(digests, hashes, strict=True))
            connection.executemany(insertion("hash", "INSERT OR REPLACE"), rows)


def _number(connection: sqlite3.Connection, key: str) -> tuple[int, int | None] | None:
    """The number that stands for a key, and its dimension; None where nothing is kept under it. Raises RowDamaged."""
    statement = f"SELECT number, {selected('computed_key')} FROM computed_key WHERE key = ?"
    if (row := connection.execute(statement, (key,)).fetchone()) is None:
        return None
    _, dimension = opened("computed_key", row[1:])
    return row[0], dimension


def _made_number(connection: sqlite3.Connection, key: str, dimension: int | None) -> int:
    """The number that stands for a key, a new one if need be; raises ValueError if it is of another dimension."""
    connection.execute(insertion("computed_key", "INSERT OR IGNORE"), sealed(key, dimension))
    number, kept = _number(connection, key) or (0, None)
    if kept != dimension:
        raise ValueError(f"expected values of dimension {kept} under {key!r}, got {dimension}")
    return number


def _tell(what: str, key: str, damaged: int) -> None:
    if damaged:
        _log.warning("%d %s of %s are damaged, and computed again", damaged, what, key)


def _sound(rows: Sequence[Row], dimension: int) -> Iterator[tuple[bytes, NDArray[np.float32]]]:
    """The embeddings that are what they should be: as they were written, of one length, and unit vectors."""
    whole = [(row[1], row[2]) for row in rows if is_sound(row) and len(row[2]) == dimension * _FLOAT.itemsize]
    values = np.frombuffer(b"".join(value for _, value in whole), _FLOAT).reshape(len(whole), dimension)
    with np.errstate(invalid="ignore", over="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", values, values))
        unit = np.abs(lengths - 1) < _LENGTH_TOLERANCE  # false for what is not finite
    for (digest, _), value, good in zip(whole, values.astype(np.float32, copy=False), unit.tolist(), strict=True):
        if good:
            yield digest, value
