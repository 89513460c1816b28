"""The feed of changes in SQLite: the rows of all tables with revisions, in one order."""

import sqlite3
from functools import cache
from typing import Any

from pricematch.catalogue.feed import EVERY_KIND, LASTING, Change, ChangeKind, FeedPage, Position
from pricematch.catalogue.products import ProductEvent
from pricematch.catalogue.records import FeedbackChange, ModelChange, PostingChange
from pricematch.errors import HistoryLost, VersionUnknown
from pricematch.store.sqlite.changes import posting_of
from pricematch.store.sqlite.checksums import COLUMNS, Row, opened, selected
from pricematch.store.sqlite.database import Database
from pricematch.store.sqlite.feedback_rows import feedback_of
from pricematch.store.sqlite.product_rows import event_of

_TABLES: dict[ChangeKind, tuple[str, ...]] = {
    "posting": ("posting", "posting_gone"),
    "feedback": ("verdict", "verdict_gone"),
    "product": ("product_event",),
    "model": ("active_model",),
}
_GONE = {"posting_gone": "posting_id, revision", "verdict_gone": "first, second, revision"}
_WIDTH = 1 + max(len(COLUMNS[table]) for tables in _TABLES.values() for table in tables if table in COLUMNS)
"""Columns of the widest of these tables, with its checksum; rows of others have NULLs at their ends."""
_ALL = -1
_MOST_IDS = 50_000
"""posting_ids of events behind which a page ends, so that huge products do not make it huge."""


class SqliteFeed:
    """Implements `ports.ChangeFeed`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def changes(
        self,
        since: Position,
        limit: int | None = None,
        kinds: frozenset[ChangeKind] = EVERY_KIND,
        upto: int | None = None,
    ) -> FeedPage:
        """See the port."""
        with self._database.read() as connection:
            floors = "SELECT version, floor, event_floor, identity FROM catalogue"
            version, floor, event_floor, identity = connection.execute(floors).fetchone()
            end = version if upto is None else min(version, upto)
            if not since.is_of(identity):
                raise HistoryLost("the position is one of another store, or of this one before it was lost", end)
            if (ahead := since.knows_gone) > version:
                raise VersionUnknown(ahead, version)
            since = since.beginning(version, identity)
            if (LASTING & kinds and since.knows_gone < floor) or ("product" in kinds and since.revision < event_floor):
                raise HistoryLost(f"the changes since version {since.revision} are not known any more", end)
            if since.revision >= end or not kinds:
                return FeedPage(version, since, (), since.at(max(since.revision, end)), more=False)
            most = _ALL if limit is None else limit + 1
            changes, more = _told(connection.execute(statement(kinds), (since.revision, end, most)), limit)
        return FeedPage(version, since, changes, since.at(changes[-1].revision if more else end), more)


@cache
def statement(kinds: frozenset[ChangeKind]) -> str:
    """The rows of some kinds, of revisions greater than the first value and up to the second, as many as the third.

    Each has its revision, its table, and its columns. An index of each table has the order, so that they are merged
    and nothing is sorted.
    """
    tables = [table for kind in sorted(kinds) for table in _TABLES[kind]]
    return f"{' UNION ALL '.join(map(_part, tables))} ORDER BY 1 LIMIT ?3"


def _part(table: str) -> str:
    columns = _GONE.get(table) or selected(table)
    padding = ", NULL" * (_WIDTH - len(columns.split(", ")))
    return f"SELECT revision, '{table}', {columns}{padding} FROM {table} WHERE revision > ?1 AND revision <= ?2"


def _told(rows: sqlite3.Cursor, limit: int | None) -> tuple[list[Change], bool]:
    """The changes of a page, and whether there are more."""
    changes, ids = list[Change](), 0
    for revision, table, *columns in rows:
        if len(changes) == limit or ids > _MOST_IDS:
            return changes, True
        change = _change(table, revision, columns)
        if isinstance(change, ProductEvent):
            ids += len(change.joined) + len(change.left)
        changes.append(change)
    return changes, False


def _change(table: str, revision: int, columns: list[Any]) -> Change:
    """A change by its row; raises RowDamaged."""
    if table == "posting":
        return PostingChange(columns[0], revision, posting_of(opened(table, _row(table, columns))))
    if table == "posting_gone":
        return PostingChange(columns[0], revision, None)
    if table == "verdict":
        it = feedback_of(_row(table, columns))
        return FeedbackChange(it.first, it.second, revision, it.decision, it.decided_at, it.by, it.note)
    if table == "verdict_gone":
        return FeedbackChange(columns[0], columns[1], revision, None)
    if table == "product_event":
        return event_of(_row(table, columns))
    return ModelChange(*opened(table, _row(table, columns)))


def _row(table: str, columns: list[Any]) -> Row:
    """A row without the padding."""
    return tuple(columns[: len(COLUMNS[table]) + 1])
