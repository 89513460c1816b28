"""What is wrong with a database: pages, tables, versions, and rows that are not as they were written."""

import sqlite3
from collections.abc import Iterator

from pricematch.errors import SHOWN_PROBLEMS
from pricematch.store.folder import damaged
from pricematch.store.sqlite.changes import VERSIONED
from pricematch.store.sqlite.checksums import COLUMNS, COMPUTED, damaged_rows
from pricematch.store.sqlite.database import Database
from pricematch.store.sqlite.schema import SCHEMA, has_schema


def structure_faults(connection: sqlite3.Connection) -> Iterator[str]:
    """What does not fit together: pages, indexes and their tables, the tables we know, versions. Reads all pages."""
    answers = [str(answer) for (answer,) in connection.execute(f"PRAGMA integrity_check({SHOWN_PROBLEMS})")]
    if answers != ["ok"]:
        yield from (" ".join(answer.removeprefix("*** in database main ***").split()) for answer in answers)
        return
    if not has_schema(connection, SCHEMA):
        yield f"its tables are not those of version {SCHEMA} of the schema"
        return
    version, floor = connection.execute("SELECT version, floor FROM catalogue").fetchone()
    revisions = "SELECT max(revision) FROM "
    latest = max(connection.execute(f"{revisions}{table}").fetchone()[0] or 0 for table in VERSIONED)
    if not 0 <= floor <= version or latest > version:
        yield f"it is of version {version}, remembers changes since {floor}, and has one of revision {latest}"
    [given] = connection.execute("SELECT product_number FROM catalogue").fetchone()
    highest = connection.execute("SELECT coalesce(max(number), 0) FROM product").fetchone()[0]
    if highest > given:
        yield f"it has given products numbers up to {given}, and has one of number {highest}"


def row_faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Which rows are not as they were written, without those that are computed again where they are damaged."""
    for table in COLUMNS:
        if table not in COMPUTED:
            yield from (f"{name} is not as it was written" for _, name in damaged_rows(connection, table))


def check_whole(database: Database) -> None:
    """Raise StoreDamaged if a database is not whole; reads all of its pages, and all rows that are not computed.

    Others may write meanwhile: what is read is one version.
    """
    with database.read() as connection:
        faults = list(structure_faults(connection)) or list(row_faults(connection))
    if faults:
        more = f"; and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise damaged(database.path, "; ".join(faults[:3]) + more)
