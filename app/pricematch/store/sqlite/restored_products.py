"""Products of a backup that take the place of those of a store, whose numbers stay given."""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from pricematch.catalogue.products import CausedChange, ProductChange
from pricematch.store.sqlite.changes import next_revisions
from pricematch.store.sqlite.checksums import insertion, opened, sealed
from pricematch.store.sqlite.product_rows import (
    EVENT,
    MEMBER,
    PRODUCT,
    change_products,
    event_of,
    find,
    members,
    members_of,
    product_of,
    redirect,
    set_state,
    state_of,
    write,
    write_events,
)


def restore_products(connection: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    """Make products those of a copy, whose postings and feedback the store has already; raises RowDamaged.

    A store that never had products gets their history as well; one that has gets an event of each that differs. Where
    the copy never had products, those of the store only lose the postings that are gone.
    """
    ours, theirs = state_of(connection), state_of(copy)
    if not theirs.last_number:
        _leave_gone(connection)
        set_state(connection, matcher=ours.matcher, last_number=0)
        return
    if ours.last_number:
        _replace(connection, copy)
    else:
        _take(connection, copy, whole=not theirs.floor)
    set_state(connection, matcher=theirs.matcher, last_number=theirs.last_number)


def _take(connection: sqlite3.Connection, copy: sqlite3.Connection, *, whole: bool) -> None:
    """Take over all rows; events are made now, in their order, so that whoever follows the store is told of them.

    Args:
        connection: of the store.
        copy: what is taken.
        whole: whether its events are all that there were.
    """
    events = [event_of(row) for row in copy.execute(f"SELECT {EVENT} FROM product_event ORDER BY revision")]
    revisions = next_revisions(connection, len(events))
    now = dict(zip((event.revision for event in events), revisions, strict=True))
    write_events(connection, [replace(event, revision=now[event.revision]) for event in events])
    products = map(product_of, copy.execute(f"SELECT {PRODUCT} FROM product"))
    write(connection, [replace(it, revision=now.get(it.revision, it.revision)) for it in products])
    rows = copy.execute(f"SELECT {MEMBER} FROM product_member")
    connection.executemany(insertion("product_member"), (sealed(*opened("product_member", row)) for row in rows))
    if not whole:
        connection.execute("UPDATE catalogue SET event_floor = ?", (revisions.start - 1,))


def _replace(connection: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    """Give products the members that they have in the copy, with an event of each that has others."""
    merged = dict(copy.execute("SELECT number, into_number FROM product WHERE into_number IS NOT NULL"))
    changes = _differences(_by_number(members(connection)), _by_number(members(copy)), merged)
    for product in map(product_of, copy.execute(f"SELECT {PRODUCT} FROM product")):
        last = find(connection, product.number) or product
        write(connection, [replace(product, changed_at=last.changed_at, revision=last.revision)])
    change_products(connection, [CausedChange(it, "restore") for it in changes], {})
    for number, into in merged.items():
        redirect(connection, number, into)


def _by_number(numbers: Mapping[str, int]) -> Mapping[int, list[str]]:
    """Members of each product, ascending."""
    found = defaultdict[int, list[str]](list)
    for posting_id in sorted(numbers):
        found[numbers[posting_id]].append(posting_id)
    return found


def _differences(
    now: Mapping[int, list[str]], then: Mapping[int, list[str]], merged: Mapping[int, int]
) -> list[ProductChange]:
    """The changes that make members those of a copy, given what its products have merged into."""
    pairs = {number: (tuple(now.get(number, ())), tuple(then.get(number, ()))) for number in now.keys() | then.keys()}
    changed = sorted((number, *pair) for number, pair in pairs.items() if pair[0] != pair[1])
    return [_difference(number, before, after, merged.get(number)) for number, before, after in changed]


def _difference(number: int, before: tuple[str, ...], after: tuple[str, ...], into: int | None) -> ProductChange:
    if after:
        return ProductChange(number, "changed" if before else "created", before, after)
    return ProductChange(number, "removed" if into is None else "merged", before, after, into)


def _leave_gone(connection: sqlite3.Connection) -> None:
    """Take postings that are no more out of their products."""
    gone = "SELECT DISTINCT number FROM product_member WHERE posting_id NOT IN (SELECT posting_id FROM posting)"
    there = {posting_id for (posting_id,) in connection.execute("SELECT posting_id FROM posting")}
    changes = []
    for (number,) in connection.execute(gone).fetchall():
        before = tuple(members_of(connection, number))
        after = tuple(posting_id for posting_id in before if posting_id in there)
        changes.append(ProductChange(number, "changed" if after else "removed", before, after))
    change_products(connection, [CausedChange(it, "restore") for it in changes], {})
