"""Products in SQLite."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from pricematch.catalogue.products import (
    CausedChange,
    Place,
    Product,
    ProductChange,
    ProductEvent,
    ProductSort,
    ProductState,
)
from pricematch.errors import ProductsChanged
from pricematch.store.sqlite.database import Database
from pricematch.store.sqlite.product_rows import (
    EVENT,
    PRODUCT,
    change_products,
    doubts,
    event_of,
    find,
    members,
    members_of,
    product_of,
    set_state,
    state_of,
    write,
)

_NEWEST = 2**63 - 1
_DESCENDING: Mapping[ProductSort, str] = MappingProxyType({"size": "size", "doubt": "doubt", "changed": "revision"})
"""Columns by which products are sorted, the greatest first."""


class SqliteProducts:
    """Implements `ports.ProductStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def state(self) -> ProductState:
        """See the port."""
        with self._database.read() as connection:
            return state_of(connection)

    def members(self) -> Mapping[str, int]:
        """See the port."""
        with self._database.read() as connection:
            return members(connection)

    def doubts(self) -> Mapping[int, float]:
        """See the port."""
        with self._database.read() as connection:
            return doubts(connection)

    def keep(
        self,
        changes: Sequence[CausedChange],
        doubts: Mapping[int, float],
        *,
        matcher: str,
        expected: int,
    ) -> tuple[Sequence[ProductEvent], ProductState]:
        """See the port."""
        with self._database.write() as connection:
            before = state_of(connection)
            if before.revision != expected:
                raise ProductsChanged(f"expected products of revision {expected}, got {before.revision}")
            _check(connection, [it.change for it in changes], before.last_number)
            events = change_products(connection, changes, doubts)
            _check_merged(connection, events)
            written = {it.change.number for it in changes if it.change.after}
            _doubt(connection, {number: doubts[number] for number in doubts.keys() - written})
            last_number = max((it.change.number for it in changes), default=0)
            set_state(connection, matcher=matcher, last_number=last_number)
            return events, state_of(connection)

    def product(self, number: int) -> Product | None:
        """See the port."""
        with self._database.read() as connection:
            return find(connection, number)

    def members_of(self, number: int) -> Sequence[str]:
        """See the port."""
        with self._database.read() as connection:
            return members_of(connection, number)

    def page(self, sort: ProductSort, after: Place | None, limit: int) -> Sequence[Product]:
        """See the port."""
        with self._database.read() as connection:
            column = _DESCENDING[sort]
            order = f"ORDER BY {column} DESC, number"
            if after is None:
                return _selected(connection, f"TRUE {order}", (), limit)
            # two conditions, each of which is one stretch of an index
            ties = _selected(connection, f"{column} = ? AND number > ? {order}", after, limit)
            rest = _selected(connection, f"{column} < ? {order}", after[:1], limit - len(ties))
            return [*ties, *rest]

    def count(self) -> int:
        """See the port."""
        with self._database.read() as connection:
            return int(connection.execute("SELECT count(*) FROM product WHERE size > 0").fetchone()[0])

    def events_of(self, number: int, before: int | None, limit: int) -> Sequence[ProductEvent]:
        """See the port."""
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT {EVENT} FROM product_event WHERE number = ? AND revision < ? ORDER BY revision DESC LIMIT ?",
                (number, _NEWEST if before is None else before, limit),
            ).fetchall()
        return [event_of(row) for row in rows]


def _selected(
    connection: sqlite3.Connection, condition: str, values: tuple[float, ...], limit: int
) -> Sequence[Product]:
    """The first products that have postings and fulfil a condition, which ends with their order."""
    statement = f"SELECT {PRODUCT} FROM product WHERE size > 0 AND {condition} LIMIT ?"
    return [product_of(row) for row in connection.execute(statement, (*values, limit)).fetchall()]


def _check(connection: sqlite3.Connection, changes: Sequence[ProductChange], last_number: int) -> None:
    """Raise ValueError if changes do not fit the products that are stored."""
    if len({change.number for change in changes}) < len(changes):
        raise ValueError("expected one change of a product, got several")
    for change in changes:
        ended = change.kind in {"merged", "removed"}
        if ended == bool(change.after) or (change.into is None) == (change.kind == "merged"):
            raise ValueError(f"expected a product that is {change.kind}, got {change}")
        row = connection.execute("SELECT size FROM product WHERE number = ?", (change.number,)).fetchone()
        if change.kind == "created":
            fits = row is None and change.number > last_number and not change.before
        else:
            fits = row is not None and row[0] == len(change.before) > 0
        if not fits:
            raise ValueError(
                f"expected changes of products that are stored, and new ones with numbers above {last_number}, got "
                f"{change}"
            )


def _check_merged(connection: sqlite3.Connection, events: Sequence[ProductEvent]) -> None:
    """Raise ValueError if a product has merged into one that has no postings."""
    for into in {event.into for event in events if event.into is not None}:
        other = find(connection, into)
        if other is None or not other.size:
            raise ValueError(f"expected products to merge into one that has postings, got {into}")


def _doubt(connection: sqlite3.Connection, doubts: Mapping[int, float]) -> None:
    """Store doubts of products that change in nothing else; raises ValueError if one has no postings."""
    for number, doubt in doubts.items():
        stored = find(connection, number)
        if stored is None or not stored.size:
            raise ValueError(f"expected doubts of products that have postings, got one of {number}")
        if stored.doubt != doubt:
            write(connection, [replace(stored, doubt=doubt)])
