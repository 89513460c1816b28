"""Products as they are asked for: pages in an order, one with its members, its history."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pricematch.catalogue.filters import Filter
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.products import Place, Product, ProductEvent, ProductSort, place_of, product_id
from pricematch.errors import ProductGone, ProductMerged, ProductNotFound, ProductsUnknown
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.product_links import ProductLinks, product_links
from pricematch.matching.products import NO_PRODUCT
from pricematch.serving.products import Products
from pricematch.serving.snapshot import Snapshot
from pricematch.store.ports import ProductStore

_EXAMPLES = 3
_AT_ONCE = 1000
_MOST_IDS = 50_000
"""Members of before and after that a page of events tells, but for those of its first event."""


@dataclass(frozen=True, slots=True)
class ListedProduct:
    """A product, and the first of its postings, by their ids."""

    product: Product
    examples: Sequence[Posting]


@dataclass(frozen=True, slots=True)
class ProductPage:
    """A page of products.

    Attributes:
        version: of the catalogue.
        total: how many there are.
        products: of the page.
        next: behind which the next page begins; None where there is none.
    """

    version: int
    total: int
    products: Sequence[ListedProduct]
    next: Place | None


@dataclass(frozen=True, slots=True)
class ProductDetails:
    """A product with all of its postings, in the order of their ids, and how they hold together."""

    version: int
    product: Product
    threshold: float
    members: Sequence[Posting]
    links: ProductLinks


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event of a product, and its members before and after, ascending."""

    event: ProductEvent
    before: Sequence[str]
    after: Sequence[str]


@dataclass(frozen=True, slots=True)
class ProductHistory:
    """The events of a product, the newest first, and whether there are older ones behind them."""

    version: int
    events: Sequence[PastEvent]
    more: bool


@dataclass(frozen=True)
class ProductReader:
    """Answers about products: what is kept of them in a store, and of one snapshot of the catalogue.

    The store may be ahead, since it is changed before the snapshot that has the change serves.

    Attributes:
        snapshot: of the catalogue.
        newest: gives the one that has all which is kept now; whoever changes it may have to be waited for.
        store: of products.
    """

    snapshot: Snapshot
    newest: Callable[[], Snapshot]
    store: ProductStore

    def page(self, sort: ProductSort, after: Place | None, limit: int, condition: Filter | None = None) -> ProductPage:
        """Products in an order; with a filter those that it holds of a posting of, which are the examples.

        Raises:
            MatcherNeeded, ProductsUnknown: there are none.
            StoreError: they cannot be read.
            FieldNotDeclared: the filter would look into too many postings.
        """
        products, _ = _known(self.snapshot)
        allowed, total = self.snapshot.matcher.allowed(condition), self.store.count()
        if allowed is None:
            found = self.store.page(sort, after, limit + 1)
        else:
            numbers = set(np.unique(products.partition.numbers[allowed]).tolist()) - {NO_PRODUCT}
            found, total = self._some(numbers, sort, after, limit + 1), len(numbers)
        snapshot = self._having(max((product.revision for product in found), default=0))
        matcher, listed = snapshot.matcher, list[ListedProduct]()
        allowed = matcher.allowed(condition)
        for product in found[:limit]:
            rows = matcher.catalogue.located(self.store.members_of(product.number)).values()
            some = [row for row in rows if allowed is None or allowed[row]][:_EXAMPLES]
            if some:  # else it has gone since
                listed.append(ListedProduct(product, matcher.catalogue.select(some)))
        last = place_of(found[limit - 1], sort) if len(found) > limit else None
        return ProductPage(snapshot.version, total, listed, last)

    def _some(self, numbers: set[int], sort: ProductSort, after: Place | None, limit: int) -> list[Product]:
        """The first `limit` of some products in an order, behind a place in it."""
        if len(numbers) <= _AT_ONCE:
            each = [it for number in numbers if (it := self.store.product(number)) is not None and it.size]
            ranked = sorted(((-value, number), it) for it in each for value, number in [place_of(it, sort)])
            behind = None if after is None else (-after[0], after[1])
            return [it for place, it in ranked if behind is None or place > behind][:limit]
        found = list[Product]()
        while len(found) < limit and (page := self.store.page(sort, after, _AT_ONCE)):
            found += [product for product in page if product.number in numbers]
            after = place_of(page[-1], sort)
        return found[:limit]

    def details(self, number: int) -> ProductDetails:
        """A product with its members.

        Raises:
            MatcherNeeded, ProductsUnknown: there are none.
            ProductNotFound, ProductMerged, ProductGone: there is no such product, or not any more.
            StoreError: it cannot be read.
        """
        _known(self.snapshot)
        stored, own = self.store.product(number), product_id(number)
        if stored is None:
            raise ProductNotFound(own)
        snapshot = self._having(stored.revision)
        products, search = _known(snapshot)
        rows = products.partition.rows_of([number])
        if not len(rows):
            into = (self.store.product(number) or stored).into
            raise ProductGone(own) if into is None else ProductMerged(own, into)
        # others may have changed it meanwhile: its members are those of the snapshot
        product = replace(stored, size=len(rows), doubt=float(products.partition.doubts[rows[0]]))
        threshold = products.partition.threshold
        links = product_links(search, rows, threshold)
        catalogue = snapshot.matcher.catalogue
        members = catalogue.select(catalogue.located(links.posting_ids).values())
        return ProductDetails(snapshot.version, product, threshold, members, links)

    def history(self, number: int, before: int | None, limit: int) -> ProductHistory:
        """The events of a product, also of one that is no more; fewer than `limit` where it has very many members.

        Raises ProductNotFound, StoreError.
        """
        last, members = _with_members(self.store, number)
        found, told, more = list[PastEvent](), 0, False
        for event in _events(self.store, number, last.revision + 1):
            after = sorted(members)
            members = members.difference(event.joined).union(event.left)
            if before is not None and event.revision >= before:
                continue
            told += len(members) + len(after)
            if len(found) == limit or (found and told > _MOST_IDS):
                more = True
                break
            found.append(PastEvent(event, sorted(members), after))
        return ProductHistory(self._having(last.revision).version, found, more)

    def _having(self, revision: int) -> Snapshot:
        """The snapshot, or the newest where it has not yet what is kept: an event of a product."""
        return self.snapshot if revision <= self.snapshot.version else self.newest()


def _with_members(store: ProductStore, number: int) -> tuple[Product, set[str]]:
    """A product with its members after its last event; raises ProductNotFound, StoreError."""
    while True:
        product, members = store.product(number), set(store.members_of(number))
        if product is None:
            raise ProductNotFound(product_id(number))
        if product == store.product(number):  # else it has changed in between
            return product, members


def _events(store: ProductStore, number: int, before: int) -> Iterator[ProductEvent]:
    """The events of a product before a revision, the newest first."""
    while some := store.events_of(number, before, _AT_ONCE):
        yield from some
        before = some[-1].revision


def _known(snapshot: Snapshot) -> tuple[Products, ProbabilitySearch]:
    """The products of a snapshot and the search they are of.

    Raises:
        MatcherNeeded: no matcher decides.
        ProductsUnknown: they could not be kept.
    """
    search = snapshot.matcher.trained("products")
    if snapshot.products is None or snapshot.products.state is None:
        raise ProductsUnknown
    return snapshot.products, search
