"""Products, their members and their history."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from pricematch.client.results.postings import Posting

EventKind: TypeAlias = Literal["created", "changed", "split", "merged", "removed"]
Cause: TypeAlias = Literal["arrival", "change", "deletion", "feedback", "model", "rescoring", "restore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Postings that are the same, under an id that lasts; `doubt` is 1 − the mean probability of their pairs."""

    product_id: str
    size: int
    doubt: float
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedProduct(Product):
    """A product with its first three postings."""

    postings: tuple[Posting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Products:
    """A page of products."""

    catalogue_version: int
    total: int
    products: tuple[ListedProduct, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(Posting):
    """A posting of a product, with the mean probability of its pairs with the others."""

    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Two postings of a product."""

    first: str
    second: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductDetails(Product):
    """A product with its members, and how they hold together."""

    catalogue_version: int
    threshold: float
    members: tuple[Member, ...]
    next_cursor: str | None
    weakest: Link | None
    bridges: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A product that is part of another."""

    product_id: str
    merged_into: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductEvent:
    """One change of a product."""

    revision: int
    at: datetime
    kind: EventKind
    cause: Cause
    joined: tuple[str, ...]
    left: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    merged_into: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductHistory:
    """Events of a product, the newest first."""

    catalogue_version: int
    product_id: str
    events: tuple[ProductEvent, ...]
    next_cursor: str | None
