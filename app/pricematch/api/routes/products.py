"""/products: which postings are one product, under ids that last."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response, status
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from pricematch.api.dependencies import READ, LinksDep, ReadyService, read_posting_id, while_connected
from pricematch.api.problems import responses
from pricematch.api.schemas.fields import PRODUCT_ID_PATTERN
from pricematch.api.schemas.filters import filter_in
from pricematch.api.schemas.products import (
    MergedOut,
    ProductDetailsOut,
    ProductHistoryOut,
    ProductsOut,
    ProductsQuery,
    cursor_of,
    details_out,
    event_out,
    listed_out,
)
from pricematch.catalogue.products import product_id, product_number
from pricematch.errors import ProductMerged

router = APIRouter(tags=["products"])
MAX_MEMBERS = 1000


def read_product_id(value: str) -> int:
    """The number of an id of a request; raises PydanticCustomError for one that no product can have."""
    if (number := product_number(value)) is None:
        raise PydanticCustomError("product_id", "expected p and a number, such as p17")
    return number


def _after(value: str) -> str:
    """An id, or nothing for the first page."""
    return read_posting_id(value) if value else value


_Number = Annotated[
    int,
    BeforeValidator(read_product_id),
    WithJsonSchema({"type": "string", "pattern": PRODUCT_ID_PATTERN}),
    Path(description="Id of a product, such as p17."),
]
_NO_MORE: dict[int | str, dict[str, Any]] = {
    308: {"model": MergedOut, "description": "It has merged into another, whose address `Location` has."},
}


@router.get(
    "/products", operation_id="listProducts", dependencies=[READ], responses=responses(409, 422, 429, 500, 503, 504)
)
async def products(
    request: Request, service: ReadyService, links: LinksDep, query: Annotated[ProductsQuery, Query()]
) -> ProductsOut:
    """The products that the stored postings are of, page by page; a posting alone is a product of one.

    With a filter those of which it holds of a posting at least.
    """
    condition = filter_in(query.filter, service.settings)
    found = await while_connected(request, service.products(query.sort, query.place(), query.limit, condition))
    return ProductsOut(
        catalogue_version=found.version,
        total=found.total,
        products=[listed_out(it, links) for it in found.products],
        next_cursor=None if found.next is None else cursor_of(found.next),
    )


@router.get(
    "/products/{product}",
    operation_id="getProduct",
    dependencies=[READ],
    response_model=ProductDetailsOut,
    responses=responses(404, 409, 410, 422, 429, 500, 503, 504) | _NO_MORE,
)
async def product(
    product: _Number,
    request: Request,
    service: ReadyService,
    links: LinksDep,
    cursor: Annotated[str, AfterValidator(_after), Query(description="Where members begin: a `next_cursor`.")] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_MEMBERS, description="Members at most.")] = 100,
) -> ProductDetailsOut | Response:
    """A product with its members, and how they hold together; one that has merged leads to what it merged into."""
    try:
        found = await while_connected(request, service.product(product))
    except ProductMerged as error:
        merged = MergedOut(product_id=product_id(product), merged_into=product_id(error.into))
        location = {"Location": links.product(merged.merged_into)}
        return JSONResponse(merged.model_dump(), status.HTTP_308_PERMANENT_REDIRECT, location)
    return details_out(found, cursor, limit, links)


@router.get(
    "/products/{product}/history",
    operation_id="getProductHistory",
    dependencies=[READ],
    responses=responses(404, 422, 429, 500, 503, 504),
)
async def history(
    product: _Number,
    request: Request,
    service: ReadyService,
    cursor: Annotated[int | None, Query(ge=1, le=2**62, description="Where the page begins: a `next_cursor`.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Events at most; of huge products fewer.")] = 20,
) -> ProductHistoryOut:
    """What became of a product, the newest first; also of one that has merged, or of which nothing is left."""
    found = await while_connected(request, service.product_history(product, cursor, limit))
    return ProductHistoryOut(
        catalogue_version=found.version,
        product_id=product_id(product),
        events=[event_out(it) for it in found.events],
        next_cursor=str(found.events[-1].event.revision) if found.more else None,
    )
