"""Products in dictionaries, the oracle of those that are kept for good."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pricematch.catalogue.products import (
    Cause,
    CausedChange,
    Place,
    Product,
    ProductChange,
    ProductEvent,
    ProductSort,
    ProductState,
    place_of,
)
from pricematch.errors import ProductsChanged
from tests.support.memory_store import MemoryStore


@dataclass
class MemoryProducts:
    """Implements `pricematch.store.ports.ProductStore`; its revisions are those of a store of postings."""

    store: MemoryStore = field(default_factory=MemoryStore)
    found: dict[int, Product] = field(default_factory=dict)
    parts: dict[int, tuple[str, ...]] = field(default_factory=dict)
    events: list[ProductEvent] = field(default_factory=list)
    latest: ProductState = field(default_factory=ProductState)

    def state(self) -> ProductState:
        return self.latest

    def members(self) -> Mapping[str, int]:
        return dict(sorted((posting_id, number) for number, part in self.parts.items() for posting_id in part))

    def doubts(self) -> Mapping[int, float]:
        return {number: product.doubt for number, product in self.found.items() if product.size and product.doubt}

    def keep(
        self,
        caused: Sequence[CausedChange],
        doubts: Mapping[int, float],
        *,
        matcher: str,
        expected: int,
    ) -> tuple[Sequence[ProductEvent], ProductState]:
        with self.store.lock:
            if expected != self.latest.revision:
                raise ProductsChanged(f"expected {expected}, got {self.latest.revision}")
            changes = [it.change for it in caused]
            parts = self.parts | {change.number: change.after for change in changes}
            self._check(changes, doubts, parts)
            merging = {change.number: change.into for change in changes if change.into is not None}
            events = [self._event(it.change, it.cause, merging) for it in caused]
            self.parts = parts
            self.events += events
            self.store.events += events
            self.found |= {event.number: self._product(event) for event in events}
            for number, product in self.found.items():
                doubt = doubts.get(number, product.doubt) if product.size else 0.0
                into = None if product.into is None else self._end(product.into, {})
                self.found[number] = replace(product, doubt=doubt, into=into)
            last = max([self.latest.last_number, *(change.number for change in changes)])
            self.latest = ProductState(expected + 1, last, matcher)
            return events, self.latest

    def product(self, number: int) -> Product | None:
        return self.found.get(number)

    def members_of(self, number: int) -> Sequence[str]:
        return list(self.parts.get(number, ()))

    def page(self, sort: ProductSort, after: Place | None, limit: int) -> Sequence[Product]:
        there = [(-place_of(it, sort)[0], it.number, it) for it in self.found.values() if it.size]
        start = (-float("inf"), 0) if after is None else (-after[0], after[1])
        return [product for value, number, product in sorted(there, key=lambda it: it[:2]) if (value, number) > start][
            :limit
        ]

    def count(self) -> int:
        return sum(product.size > 0 for product in self.found.values())

    def events_of(self, number: int, before: int | None, limit: int) -> Sequence[ProductEvent]:
        of_it = [it for it in reversed(self.events) if it.number == number and (before is None or it.revision < before)]
        return of_it[:limit]

    def _check(
        self, changes: Sequence[ProductChange], doubts: Mapping[int, float], parts: Mapping[int, tuple[str, ...]]
    ) -> None:
        """Raise ValueError where the changes do not fit."""
        members = [posting_id for part in parts.values() for posting_id in part]
        fits = len(set(members)) == len(members) and len({change.number for change in changes}) == len(changes)
        for change in changes:
            created = change.number > self.latest.last_number
            fits &= created == (change.kind == "created") and bool(change.before) != created
            fits &= change.before == self.parts.get(change.number, ())
            fits &= (change.kind in {"merged", "removed"}) != bool(change.after)
            fits &= (change.into is not None) == (change.kind == "merged")
            fits &= change.into is None or bool(parts.get(self._end(change.into, _merging(changes))))
        if not fits or not all(parts.get(number) for number in doubts):
            raise ValueError(f"{changes} and {doubts} do not fit")

    def _end(self, number: int, merging: Mapping[int, int]) -> int:
        seen = set[int]()
        while number not in seen:
            seen.add(number)
            stored = self.found.get(number)
            number = merging.get(number) or (stored.into if stored is not None else None) or number
        return number

    def _event(self, change: ProductChange, cause: Cause, merging: Mapping[int, int]) -> ProductEvent:
        into = None if change.into is None else self._end(change.into, merging)
        number, size = change.number, len(change.after)
        revision = self.store.renew()
        return ProductEvent(revision, number, change.kind, cause, change.joined, change.left, size, into, time.time())

    def _product(self, event: ProductEvent) -> Product:
        before = self.found.get(event.number, Product(event.number, 0, None, 0.0, event.at, event.at, 0))
        return replace(before, size=event.size, into=event.into, changed_at=event.at, revision=event.revision)


def _merging(changes: Sequence[ProductChange]) -> Mapping[int, int]:
    return {change.number: change.into for change in changes if change.into is not None}
