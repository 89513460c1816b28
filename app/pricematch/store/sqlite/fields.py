"""The fields that are declared, see `pricematch.catalogue.fields`."""

import sqlite3
from collections.abc import Sequence
from typing import cast

from pricematch.catalogue.fields import Field, FieldType
from pricematch.errors import LimitExceeded
from pricematch.store.sqlite.checksums import Row, count_rows, insertion, opened, sealed, selected
from pricematch.store.sqlite.database import Database


class SqliteFields:
    """Implements `service_ports.FieldStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def fields(self) -> Sequence[Field]:
        """See `service_ports.FieldStore`."""
        with self._database.read() as connection:
            return read_fields(connection)

    def declare(self, field: Field, most: int) -> bool:
        """See `service_ports.FieldStore`."""
        with self._database.write() as connection:
            before = {it.name: it for it in read_fields(connection)}
            if before.get(field.name) == field:
                return False
            if field.name not in before and count_rows(connection, "field") >= most:
                raise LimitExceeded(f"expected at most {most} declared fields, got one more")
            connection.execute(insertion("field", "INSERT OR REPLACE"), _row(field))
        return field.name not in before

    def undeclare(self, name: str) -> bool:
        """See `service_ports.FieldStore`."""
        with self._database.write() as connection:
            return connection.execute("DELETE FROM field WHERE name = ?", (name,)).rowcount > 0


def read_fields(connection: sqlite3.Connection) -> list[Field]:
    """All that are declared, by their names; raises RowDamaged."""
    rows = connection.execute(f"SELECT {selected('field')} FROM field ORDER BY name")
    found = [opened("field", row) for row in rows]
    return [Field(name, cast("FieldType", kind), bool(evidence)) for name, kind, evidence in found]


def _row(field: Field) -> Row:
    return sealed(field.name, field.type, int(field.evidence))


def restore_fields(connection: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    """Declare the fields of a copy and no others, in a transaction that is open."""
    wanted = read_fields(copy)
    if wanted != read_fields(connection):
        connection.execute("DELETE FROM field")
        connection.executemany(insertion("field"), [_row(it) for it in wanted])
