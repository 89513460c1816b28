"""Products: which postings are one, under ids that last."""

from typing import Literal, TypeAlias

import httpx2

from pricematch.client.bodies import Filter, as_json
from pricematch.client.calls import Call, Flow, Items, Listing, as_result, ask, in_path, listing, pages, verb
from pricematch.client.reading import read
from pricematch.client.results.products import (
    ListedProduct,
    Member,
    Merged,
    ProductDetails,
    ProductEvent,
    ProductHistory,
    Products,
)

Sort: TypeAlias = Literal["size", "doubt", "changed"]
_HAS_MERGED = 308
_PAGE, _MEMBERS = 100, 1000


class ProductVerbs:
    """Which product each posting is of."""

    @listing
    def products(
        self, *, sort: Sort = "size", filter: Filter | None = None, page_size: int = _PAGE
    ) -> Listing[ListedProduct]:
        """The products, the largest, the most doubtful or the last changed first.

        With a filter those of which it holds of a posting at least.
        """
        narrowed = as_json(filter)
        return pages(
            lambda cursor: Call(
                method="GET",
                path="/products",
                read=as_result(Products),
                query={"sort": sort, "filter": narrowed, "cursor": cursor or None, "limit": page_size},
            ),
            lambda page: page.products,
            lambda page: page.next_cursor,
        )

    @verb
    def product(self, product_id: str, *, cursor: str = "", limit: int = 100) -> Flow[ProductDetails]:
        """A product with its first members; of one that has merged, the product that it is part of by now."""
        return _product(product_id, cursor, limit)

    @listing
    def members(self, product_id: str, *, page_size: int = _MEMBERS) -> Listing[Member]:
        """All members of a product, in the order of their ids."""
        return _members(product_id, page_size)

    @listing
    def history(self, product_id: str, *, page_size: int = _PAGE) -> Listing[ProductEvent]:
        """What became of a product, the newest first."""
        return pages(
            lambda cursor: Call(
                method="GET",
                path=f"{_path(product_id)}/history",
                read=as_result(ProductHistory),
                query={"cursor": cursor or None, "limit": page_size},
            ),
            lambda page: page.events,
            lambda page: page.next_cursor,
        )


def _product(product_id: str, cursor: str, limit: int) -> Flow[ProductDetails]:
    while True:
        found = yield from ask(
            Call(
                method="GET",
                path=_path(product_id),
                read=_details_or_merged,
                query={"cursor": cursor or None, "limit": limit},
                also=(_HAS_MERGED,),
            )
        )
        if isinstance(found, ProductDetails):
            return found
        product_id = found.merged_into


def _members(product_id: str, page_size: int) -> Listing[Member]:
    cursor: str | None = ""
    while cursor is not None:
        page = yield from _product(product_id, cursor, page_size)
        yield Items(page.members)
        product_id, cursor = page.product_id, page.next_cursor


def _details_or_merged(response: httpx2.Response) -> ProductDetails | Merged:
    if response.status_code == _HAS_MERGED:
        return read(Merged, response.json())
    return read(ProductDetails, response.json())


def _path(product_id: str) -> str:
    return f"/products/{in_path(product_id, 'a product_id')}"
