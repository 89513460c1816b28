"""Schemas of products, their members and their history."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pricematch.api.links import Links
from pricematch.api.schemas.fields import PRODUCT_ID_PATTERN, CatalogueVersion
from pricematch.api.schemas.filters import FilterText
from pricematch.api.schemas.postings import PostingOut, posting_fields
from pricematch.catalogue.products import Cause, Kind, Place, Product, ProductSort, product_id
from pricematch.matching.product_links import Link
from pricematch.serving.product_pages import ListedProduct, PastEvent, ProductDetails

ProductIdField = Annotated[str, Field(pattern=PRODUCT_ID_PATTERN, examples=["p17"])]
_MOST_BRIDGES = 20
_PLACE = r"^([0-9]{1,18}(\.[0-9]{1,24})?(e-[0-9]{1,3})?:[1-9][0-9]{0,17})?$"


class ProductsQuery(BaseModel):
    """Which products come first, and how many."""

    model_config = ConfigDict(extra="forbid")

    sort: ProductSort = Field(
        default="size", description="The largest, the most doubtful or the last changed first; equal ones by age."
    )
    limit: int = Field(default=20, ge=1, le=100, description="Products at most.")
    filter: FilterText = None
    cursor: str = Field(default="", pattern=_PLACE, description="Where the page begins: a `next_cursor` of this order.")

    def place(self) -> Place | None:
        """The place behind which the page begins; None for the first one."""
        value, _, number = self.cursor.partition(":")
        return (float(value), int(number)) if number else None


class ProductOut(BaseModel):
    """A product: postings that are the same, under an id that lasts."""

    product_id: ProductIdField
    size: int = Field(ge=1, description="How many postings it has.")
    doubt: float = Field(ge=0, le=1, description="1 − the mean probability of its pairs; 0 of a posting alone.")
    created_at: datetime
    changed_at: datetime


class ListedProductOut(ProductOut):
    """A product in a list, with some of its postings."""

    postings: list[PostingOut] = Field(
        description="The first three, by their ids; with a filter of those that it holds of."
    )


class ProductsOut(BaseModel):
    """A page of products."""

    catalogue_version: CatalogueVersion
    total: int = Field(ge=0, description="Products of all pages.")
    products: list[ListedProductOut]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")


class MemberOut(PostingOut):
    """A posting of a product."""

    probability: float = Field(ge=0, le=1, description="Mean probability of its pairs with the other members.")


class LinkOut(BaseModel):
    """Two postings of a product, and the probability that both are the same."""

    first: str
    second: str
    probability: float = Field(ge=0, le=1)


class ProductDetailsOut(ProductOut):
    """A product with its postings, and how they hold together."""

    catalogue_version: CatalogueVersion
    threshold: float = Field(description="Mean probability with which postings hold together as one product.")
    members: list[MemberOut] = Field(description="By their ids, from `after` on.")
    next_cursor: str | None = Field(description="`cursor` of the next page of members; null on the last.")
    weakest: LinkOut | None = Field(
        description="The weakest pair that it takes to connect all members; null of a posting alone, and where only "
        "verdicts hold members together."
    )
    bridges: list[LinkOut] = Field(
        description="Pairs of the threshold or more without any of which it would be in two parts, the weakest first; "
        "twenty at most."
    )


class MergedOut(BaseModel):
    """A product that has merged into another: that one's id is its own from then on."""

    product_id: ProductIdField
    merged_into: ProductIdField


class ProductEventOut(BaseModel):
    """One change of a product."""

    revision: int = Field(ge=1, description="The catalogue's version that it made.")
    at: datetime
    kind: Kind = Field(
        description="`created`; `changed`: postings joined, or were removed; `split`: some are in other products now; "
        "`merged`: all are in others; `removed`: none is left."
    )
    cause: Cause = Field(
        description="A posting's `arrival`, `change` or `deletion`, `feedback`, another `model`, `rescoring` of all, "
        "or the `restore` of a backup."
    )
    joined: list[str] = Field(description="posting_ids that came.")
    left: list[str] = Field(description="posting_ids that went.")
    before: list[str] = Field(description="posting_ids of all members before.")
    after: list[str] = Field(description="And afterwards.")
    merged_into: ProductIdField | None


class ProductHistoryOut(BaseModel):
    """Events of a product, the newest first."""

    catalogue_version: CatalogueVersion
    product_id: ProductIdField
    events: list[ProductEventOut]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")


def cursor_of(place: Place) -> str:
    """A place in an order as a cursor; the inverse of `ProductsQuery.place`."""
    return "{!r}:{}".format(*place)


def listed_out(found: ListedProduct, links: Links) -> ListedProductOut:
    """A product in a list."""
    own = product_id(found.product.number)
    postings = [PostingOut(**posting_fields(it, links, own)) for it in found.examples]
    return ListedProductOut(**_fields(found.product), postings=postings)


def details_out(found: ProductDetails, after: str, limit: int, links: Links) -> ProductDetailsOut:
    """A product with its members whose ids are greater than `after`, `limit` at most."""
    own = product_id(found.product.number)
    probabilities = found.links.probabilities.round(6).tolist()
    every = [it for it in zip(found.members, probabilities, strict=True) if it[0].posting_id > after]
    members = [MemberOut(**posting_fields(posting, links, own), probability=value) for posting, value in every[:limit]]
    return ProductDetailsOut(
        **_fields(found.product),
        catalogue_version=found.version,
        threshold=found.threshold,
        members=members,
        next_cursor=members[-1].posting_id if len(every) > limit else None,
        weakest=None if found.links.weakest is None else _link_out(found.links.weakest),
        bridges=[_link_out(it) for it in found.links.bridges[:_MOST_BRIDGES]],
    )


def event_out(past: PastEvent) -> ProductEventOut:
    """An event of a product."""
    event = past.event
    return ProductEventOut(
        revision=event.revision,
        at=datetime.fromtimestamp(event.at, UTC),
        kind=event.kind,
        cause=event.cause,
        joined=list(event.joined),
        left=list(event.left),
        before=list(past.before),
        after=list(past.after),
        merged_into=None if event.into is None else product_id(event.into),
    )


def _link_out(link: Link) -> LinkOut:
    return LinkOut(first=link.first, second=link.second, probability=round(link.probability, 6))


def _fields(product: Product) -> dict[str, Any]:
    """The fields of `ProductOut`."""
    return {
        "product_id": product_id(product.number),
        "size": product.size,
        "doubt": round(product.doubt, 6),
        "created_at": datetime.fromtimestamp(product.created_at, UTC),
        "changed_at": datetime.fromtimestamp(product.changed_at, UTC),
    }
