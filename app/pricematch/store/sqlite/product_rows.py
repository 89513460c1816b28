"""Rows of products, their members and events, in a transaction that is open."""

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pricematch.catalogue.products import CausedChange, Product, ProductChange, ProductEvent, ProductState
from pricematch.store.sqlite.changes import next_revisions
from pricematch.store.sqlite.checksums import Row, insertion, opened, sealed, selected

PRODUCT, MEMBER, EVENT = (selected(table) for table in ("product", "product_member", "product_event"))
_WRITE = insertion("product", "INSERT OR REPLACE")


def state_of(connection: sqlite3.Connection) -> ProductState:
    """How up to date the products are."""
    columns = "product_revision, product_number, products_by, event_floor"
    return ProductState(*connection.execute(f"SELECT {columns} FROM catalogue").fetchone())


def set_state(connection: sqlite3.Connection, *, matcher: str, last_number: int) -> None:
    """Say what made the products, and that they were written; the last number never falls."""
    connection.execute(
        "UPDATE catalogue SET products_by = ?, product_number = max(product_number, ?), "
        "product_revision = product_revision + 1",
        (matcher, last_number),
    )


def product_of(row: Row) -> Product:
    """A product from its columns; raises RowDamaged."""
    return Product(*opened("product", row))


def event_of(row: Row) -> ProductEvent:
    """An event from its columns; raises RowDamaged."""
    revision, number, kind, cause, joined, left, size, into, at = opened("product_event", row)
    return ProductEvent(
        revision, number, kind, cause, tuple(json.loads(joined)), tuple(json.loads(left)), size, into, at
    )


def find(connection: sqlite3.Connection, number: int) -> Product | None:
    """The product with a number, if there ever was one; raises RowDamaged."""
    row = connection.execute(f"SELECT {PRODUCT} FROM product WHERE number = ?", (number,)).fetchone()
    return None if row is None else product_of(row)


def members(connection: sqlite3.Connection) -> dict[str, int]:
    """Number of its product by posting_id, of all members; raises RowDamaged."""
    rows = connection.execute(f"SELECT {MEMBER} FROM product_member ORDER BY posting_id")
    return dict(opened("product_member", row) for row in rows)


def doubts(connection: sqlite3.Connection) -> dict[int, float]:
    """The doubts of products that have any, by number; raises RowDamaged."""
    rows = connection.execute(f"SELECT {PRODUCT} FROM product WHERE size > 0 AND doubt > 0")
    return {product.number: product.doubt for product in map(product_of, rows)}


def members_of(connection: sqlite3.Connection, number: int) -> list[str]:
    """posting_ids of the members of a product, ascending; raises RowDamaged."""
    rows = connection.execute(f"SELECT {MEMBER} FROM product_member WHERE number = ? ORDER BY posting_id", (number,))
    return [opened("product_member", row)[0] for row in rows]


def write(connection: sqlite3.Connection, products: Iterable[Product]) -> None:
    """Store products, in place of those with their numbers."""
    connection.executemany(_WRITE, (_sealed(product) for product in products))


def write_events(connection: sqlite3.Connection, events: Iterable[ProductEvent]) -> None:
    """Store events, whose revisions are new."""
    connection.executemany(insertion("product_event"), (_sealed_event(event) for event in events))


def change_products(
    connection: sqlite3.Connection, caused: Sequence[CausedChange], doubts: Mapping[int, float]
) -> list[ProductEvent]:
    """Make changes, each with a revision of its own; an event of each.

    Raises:
        RowDamaged: a product that changes is not as it was written.
        ValueError: the changes do not fit the members that are stored, or products would merge in a circle.
    """
    now, changes = time.time(), [it.change for it in caused]
    _move(connection, changes)
    merging = {change.number: change.into for change in changes if change.into is not None}
    events = [
        ProductEvent(
            revision,
            it.change.number,
            it.change.kind,
            it.cause,
            it.change.joined,
            it.change.left,
            len(it.change.after),
            None if it.change.into is None else _last(connection, it.change.number, merging),
            now,
        )
        for revision, it in zip(next_revisions(connection, len(caused)), caused, strict=True)
    ]
    write(connection, [_changed(connection, event, doubts) for event in events])
    write_events(connection, events)
    for event in events:
        if event.into is not None:
            redirect(connection, event.number, event.into)
    return events


def redirect(connection: sqlite3.Connection, merged: int, into: int) -> None:
    """Let the products that merged into one that has merged itself name the one which that merged into."""
    rows = connection.execute(f"SELECT {PRODUCT} FROM product WHERE into_number = ?", (merged,)).fetchall()
    write(connection, [replace(product_of(row), into=into) for row in rows])


def forget_events(connection: sqlite3.Connection, kept: int) -> None:
    """Forget the events of products before the last `kept`."""
    newest = "SELECT revision FROM product_event ORDER BY revision DESC LIMIT 1 OFFSET ?"
    if (last := connection.execute(newest, (kept,)).fetchone()) is not None:
        connection.execute("DELETE FROM product_event WHERE revision <= ?", last)
        connection.execute("UPDATE catalogue SET event_floor = max(event_floor, ?)", last)


def mend(connection: sqlite3.Connection) -> None:
    """Make products fit their members and events, of which rows were deleted."""
    numbers = (
        "SELECT number FROM product_member UNION SELECT number FROM product_event EXCEPT SELECT number FROM product"
    )
    for (number,) in connection.execute(numbers).fetchall():
        lost = _recovered(connection, number)
        write(connection, [lost])
        if lost.into is not None:
            redirect(connection, number, lost.into)
    counted = "(SELECT count(*) FROM product_member WHERE product_member.number = product.number)"
    rows = connection.execute(f"SELECT {counted}, {PRODUCT} FROM product WHERE size <> {counted}").fetchall()
    write(connection, [replace(product_of(row[1:]), size=row[0]) for row in rows])
    [highest] = connection.execute("SELECT coalesce(max(number), 0) FROM product").fetchone()
    set_state(connection, matcher=state_of(connection).matcher, last_number=highest)


def _sealed(product: Product) -> Row:
    return sealed(
        product.number,
        product.size,
        product.into,
        float(product.doubt),
        float(product.created_at),
        float(product.changed_at),
        product.revision,
    )


def _sealed_event(event: ProductEvent) -> Row:
    joined, left = (json.dumps(ids, ensure_ascii=False) for ids in (event.joined, event.left))
    return sealed(
        *(event.revision, event.number, event.kind, event.cause),
        *(joined, left, event.size, event.into, float(event.at)),
    )


def _move(connection: sqlite3.Connection, changes: Sequence[ProductChange]) -> None:
    """Let members leave and join; raises ValueError if one leaves or joins that cannot."""
    left = [(posting_id, change.number) for change in changes for posting_id in change.left]
    joined = [sealed(posting_id, change.number) for change in changes for posting_id in change.joined]
    deletion = "DELETE FROM product_member WHERE posting_id = ? AND number = ?"
    if left and connection.executemany(deletion, left).rowcount != len(left):
        raise ValueError("expected postings that leave a product to be in it, got one that is not")
    try:
        connection.executemany(insertion("product_member"), joined)
    except sqlite3.IntegrityError as error:
        raise ValueError("expected postings that join a product to be in none, got one that is in another") from error


def _last(connection: sqlite3.Connection, number: int, merging: Mapping[int, int]) -> int:
    """The product that one merges into in the end, given what merges now; raises ValueError for a circle."""
    seen = {number}
    while (further := merging.get(number) or _into(connection, number)) is not None:
        if further in seen:
            raise ValueError(f"expected products to merge into others, got {sorted(seen)} into each other")
        seen.add(further)
        number = further
    return number


def _into(connection: sqlite3.Connection, number: int) -> int | None:
    stored = find(connection, number)
    return None if stored is None else stored.into


def _changed(connection: sqlite3.Connection, event: ProductEvent, doubts: Mapping[int, float]) -> Product:
    """A product after an event."""
    stored = find(connection, event.number)
    before, created_at = (0.0, event.at) if stored is None else (stored.doubt, stored.created_at)
    doubt = doubts.get(event.number, before) if event.size else 0.0
    return Product(event.number, event.size, event.into, doubt, created_at, event.at, event.revision)


def _recovered(connection: sqlite3.Connection, number: int) -> Product:
    """A product whose row is lost, by its members and events; what it merged into is followed."""
    rows = connection.execute(f"SELECT {EVENT} FROM product_event WHERE number = ? ORDER BY revision", (number,))
    events = [event_of(row) for row in rows]
    [size] = connection.execute("SELECT count(*) FROM product_member WHERE number = ?", (number,)).fetchone()
    if not events:
        return Product(number, size, None, 0.0, time.time(), time.time(), 0)
    into = None if size or events[-1].into is None else _last(connection, number, {number: events[-1].into})
    return Product(number, size, into, 0.0, events[0].at, events[-1].at, events[-1].revision)
