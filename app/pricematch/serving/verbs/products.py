"""Verbs on products."""

from collections.abc import Callable
from typing import TypeVar

from pricematch.catalogue.filters import Filter
from pricematch.catalogue.products import Place, ProductSort
from pricematch.serving.product_pages import ProductDetails, ProductHistory, ProductPage, ProductReader
from pricematch.serving.verbs.verbs import Verbs

T = TypeVar("T")


class ProductVerbs(Verbs):
    """Read products and their histories."""

    async def products(
        self, sort: ProductSort, after: Place | None, limit: int, condition: Filter | None = None
    ) -> ProductPage:
        """Products in an order, see `ProductReader.page`."""
        return await self._read_products(lambda reader: reader.page(sort, after, limit, condition))

    async def product(self, number: int) -> ProductDetails:
        """A product with its members, see `ProductReader.details`."""
        return await self._read_products(lambda reader: reader.details(number))

    async def product_history(self, number: int, before: int | None, limit: int) -> ProductHistory:
        """The events of a product, see `ProductReader.history`."""
        return await self._read_products(lambda reader: reader.history(number, before, limit))

    async def _read_products(self, read: Callable[[ProductReader], T]) -> T:
        backend = self._ready
        async with self._workers.request():
            reader = ProductReader(backend.snapshot, backend.intake.snapshots.settled, backend.products)
            return await self._workers.match(read, reader)
