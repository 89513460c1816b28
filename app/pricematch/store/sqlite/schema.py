"""The version of a database's schema, and how an older one becomes the newest."""

import sqlite3
from contextlib import closing
from pathlib import Path

from pricematch.errors import StoreNewer
from pricematch.store.folder import damaged
from pricematch.store.sqlite.checksums import seal_rows
from pricematch.store.sqlite.migrations import MIGRATIONS, SEALED, SEALED_BEFORE

_APPLICATION_ID = 0x50724D63
"""Marks a SQLite file as a store of ours: `PrMc`."""

SCHEMA = len(MIGRATIONS)


def schema_of(connection: sqlite3.Connection, path: Path) -> int:
    """Version of the schema a database has, 0 where it is empty.

    Raises:
        StoreDamaged: it is another program's database.
        StoreNewer: a newer pricematch made it.
    """
    schema = int(connection.execute("PRAGMA user_version").fetchone()[0])
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if mark != _APPLICATION_ID and not (empty and mark == schema == 0):
        raise damaged(path, "it is a database, but none of pricematch")
    if schema > SCHEMA:
        raise StoreNewer(
            f"{path} has version {schema} of the schema, and this pricematch knows {SCHEMA}: a newer one wrote it; "
            f"start that one, or name another folder with --data"
        )
    return schema


def has_schema(connection: sqlite3.Connection, schema: int) -> bool:
    """Whether a database has exactly the tables of a version, and nothing that runs by itself."""
    marks = [connection.execute(f"PRAGMA {mark}").fetchone()[0] for mark in ("application_id", "user_version")]
    objects = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        for version in range(schema):
            _apply(fresh, version)
        expected = fresh.execute(objects).fetchall()
    return marks == [_APPLICATION_ID, schema] and connection.execute(objects).fetchall() == expected


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the schema up to date, each version in a transaction of its own; others may be doing the same."""
    while True:
        connection.execute("BEGIN IMMEDIATE")
        try:
            schema = schema_of(connection, path)
            if schema < SCHEMA:
                _apply(connection, schema)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        if schema >= SCHEMA - 1:
            return


def _apply(connection: sqlite3.Connection, schema: int) -> None:
    """Make version `schema` + 1."""
    statement = ""
    for piece in MIGRATIONS[schema].split(";"):
        statement += f"{piece};"
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    if schema + 1 == SEALED:
        seal_rows(connection)
    elif (before := SEALED_BEFORE.get(schema + 1)) is not None:
        seal_rows(connection, before)
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {schema + 1}")
