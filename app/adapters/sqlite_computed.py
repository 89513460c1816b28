"""What was computed from pictures, in SQLite."""

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from app.adapters.sqlite_database import Database
from app.adapters.sqlite_rows import rows_of
from app.matching.embeddings import Embeddings

_log = logging.getLogger("pricematch")
_FLOAT = np.dtype("<f4")
_LENGTH_TOLERANCE = 1e-3
_NUMBER = "SELECT number, dimension FROM computed_key WHERE key = ?"
_UNUSED = "digest NOT IN (SELECT image FROM posting WHERE image IS NOT NULL)"


class SqliteComputed:
    """Implements `ports.ComputedStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def embeddings(self, key: str, digests: Sequence[bytes]) -> Mapping[bytes, NDArray[np.float32]]:
        """See the port; embeddings that are damaged are left out and logged."""
        with self._database.read() as connection:
            found = connection.execute(_NUMBER, (key,)).fetchone()
            rows = [] if found is None else rows_of(connection, "embedding", found[0], digests)
        return {} if found is None else _sound(key, rows, found[1])

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
            return {} if found is None else dict(rows_of(connection, "hash", found[0], digests))

    def keep_hashes(self, key: str, digests: Sequence[bytes], hashes: Sequence[str]) -> None:
        """See the port."""
        with self._database.write() as connection:
            number = _number(connection, key, None)
            rows = ((number, digest, value) for digest, value in zip(digests, hashes, strict=True))
            connection.executemany("INSERT OR REPLACE INTO hash VALUES (?, ?, ?)", rows)

    def forget(self, keys: Sequence[str]) -> None:
        """See the port."""
        with self._database.write() as connection:
            kept = connection.execute("SELECT key FROM computed_key").fetchall()
            others = [key for key in kept if key[0] not in set(keys)]
            connection.executemany("DELETE FROM computed_key WHERE key = ?", others)
            connection.execute(f"DELETE FROM embedding WHERE {_UNUSED}")
            connection.execute(f"DELETE FROM hash WHERE {_UNUSED}")


def _number(connection: sqlite3.Connection, key: str, dimension: int | None) -> int:
    """The number that stands for a key, a new one if need be; raises ValueError if it is of another dimension."""
    connection.execute("INSERT OR IGNORE INTO computed_key (key, dimension) VALUES (?, ?)", (key, dimension))
    number, kept = connection.execute(_NUMBER, (key,)).fetchone()
    if kept != dimension:
        raise ValueError(f"expected values of dimension {kept} under {key!r}, got {dimension}")
    return int(number)


def _sound(key: str, rows: Sequence[tuple[bytes, bytes]], dimension: int | None) -> Mapping[bytes, NDArray[np.float32]]:
    """The embeddings that are what they should be: of one length, and unit vectors."""
    size = (dimension or 0) * _FLOAT.itemsize
    whole = [(digest, value) for digest, value in rows if len(value) == size]
    values = np.frombuffer(b"".join(value for _, value in whole), _FLOAT).reshape(len(whole), dimension or 0)
    with np.errstate(invalid="ignore", over="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", values, values))
        unit = np.abs(lengths - 1) < _LENGTH_TOLERANCE  # false for what is not finite
    if (dropped := len(rows) - int(unit.sum())) > 0:
        _log.warning("%d embeddings of %s are damaged, and computed again", dropped, key)
    return dict(_chosen(whole, values.astype(np.float32, copy=False), unit))


def _chosen(
    rows: Sequence[tuple[bytes, bytes]], values: NDArray[np.float32], unit: NDArray[np.bool_]
) -> Iterator[tuple[bytes, NDArray[np.float32]]]:
    for (digest, _), value, good in zip(rows, values, unit.tolist(), strict=True):
        if good:
            yield digest, value
