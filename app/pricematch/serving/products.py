"""Products of the served catalogue: kept with every change, under numbers that last."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.postings import Catalogue
from pricematch.catalogue.products import Cause, CausedChange, ProductChange, ProductState
from pricematch.catalogue.records import PostingChange
from pricematch.errors import ProductsChanged, StoreError
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.products import NO_PRODUCT, Partition, clustered, followed, renumbered
from pricematch.store.ports import ProductStore

_log = logging.getLogger("pricematch")
_FIRST: Sequence[Cause] = ("arrival", "change", "deletion")
"""Where postings came, changed and went in one step, the first of these that touches a product is the cause."""


@dataclass(frozen=True, eq=False)
class Products:
    """The products of a catalogue in memory. Immutable.

    Attributes:
        partition: which product each posting is of.
        state: of the store that has them; None while it has not, and their numbers do not last.
        version: the catalogue's that the last of their events made, 0 before any.
        before: the version before the first of the events that were made with it.
    """

    partition: Partition
    state: ProductState | None = None
    version: int = 0
    before: int = 0


class ProductKeeper:
    """Keeps the products of what is served in a store; for one thread at a time.

    Where the store fails, what has changed in the catalogue stays changed, and products go on under numbers that do
    not last, until they can be adopted.
    """

    def __init__(self, store: ProductStore) -> None:
        self._store = store
        self._trouble = ""

    def adopted(self, products: Products, search: ProbabilitySearch) -> Products:
        """Products of a catalogue under the numbers of those they continue, kept; as they are where they cannot be.

        Args:
            products: whose numbers do not last.
            search: over the catalogue.
        """
        catalogue = search.catalogue

        def keep() -> Products:
            state, members = self._store.state(), self._store.members()
            partition, changes = renumbered(products.partition, catalogue, members, state.last_number + 1)
            came: dict[str, Cause] = {it: "arrival" for it in catalogue.posting_ids if it not in members}
            gone: dict[str, Cause] = {it: "deletion" for it in members if not catalogue.holds(it)}
            why: Cause = "rescoring" if state.matcher in {"", search.label} else "model"
            changed = [CausedChange(change, _cause(change, came | gone, why)) for change in changes]
            before, doubts = self._store.doubts(), _doubts(partition)
            moved = {number: doubt for number, doubt in doubts.items() if before.get(number, 0.0) != doubt}
            return self._kept(Products(partition, state), changed, moved, search.label)

        return self._unless_it_fails(keep, products.partition)

    def followed(
        self, products: Products, before: ProbabilitySearch, now: ProbabilitySearch, changes: Sequence[PostingChange]
    ) -> Products:
        """Products after a change of the catalogue or of feedback; kept where their numbers last, else in memory alone.

        Args:
            products: of the catalogue before the change.
            before: the search over it.
            now: the search after the change.
            changes: of postings.
        """
        was, state = products.partition, products.state
        first = 1 + (int(was.numbers.max(initial=NO_PRODUCT)) if state is None else state.last_number)
        partition, found = followed(was, before, now, first)
        if state is None:
            return Products(partition)
        causes = _causes(before.catalogue, changes)
        either: Cause = next((it for it in _FIRST if it in causes.values()), "feedback")
        changed = [CausedChange(change, _cause(change, causes, either)) for change in found]
        span = len(was.doubts)
        moved = np.flatnonzero(was.doubts != partition.doubts[:span])
        numbers = {int(number) for number in partition.numbers[moved]} | {change.number for change in found}
        rows = partition.rows_of(sorted(numbers - {NO_PRODUCT}))
        doubts = _doubts(partition, rows)
        return self._unless_it_fails(
            lambda: self._kept(replace(products, partition=partition), changed, doubts, now.label), partition
        )

    def _kept(
        self, products: Products, changes: Sequence[CausedChange], doubts: Mapping[int, float], matcher: str
    ) -> Products:
        """Products whose changes are kept; raises StoreError, ProductsChanged."""
        state = products.state
        if state is None:
            raise ValueError("expected products of a state of the store")
        if not changes and not doubts and state.matcher == matcher:
            return products
        events, state = self._store.keep(changes, doubts, matcher=matcher, expected=state.revision)
        if not events:
            return replace(products, state=state)
        return Products(products.partition, state, events[-1].revision, events[0].revision - 1)

    def _unless_it_fails(self, keep: Callable[[], Products], partition: Partition) -> Products:
        """Products that are kept, or in memory alone; the same trouble again is not logged again."""
        try:
            kept = keep()
        except (StoreError, ProductsChanged) as error:
            if self._trouble != str(error):
                _log.warning("which products postings are of is not known until they can be kept: %s", error)
            self._trouble = str(error)
            return Products(partition)
        self._trouble = ""
        return kept


def provisional(search: ProbabilitySearch) -> Products:
    """The products of a whole catalogue, under numbers that do not last."""
    return Products(clustered(search))


def _doubts(partition: Partition, rows: NDArray[np.intp] | None = None) -> dict[int, float]:
    """The doubt of each product, or of those of some rows, by its number."""
    some = np.flatnonzero(partition.numbers) if rows is None else rows
    return dict(zip(partition.numbers[some].tolist(), partition.doubts[some].tolist(), strict=True))


def _causes(before: Catalogue, changes: Sequence[PostingChange]) -> Mapping[str, Cause]:
    """By posting_id, whether it came, changed or went, given the catalogue before."""
    return {
        it.posting_id: "deletion" if it.posting is None else "change" if before.holds(it.posting_id) else "arrival"
        for it in changes
    }


def _cause(change: ProductChange, causes: Mapping[str, Cause], otherwise: Cause) -> Cause:
    """Why a product changed: the first cause among those of postings that it won or lost."""
    own = {causes[it] for it in (*change.joined, *change.left) if it in causes}
    return next((it for it in _FIRST if it in own), otherwise)
