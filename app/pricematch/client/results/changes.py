"""Changes of the catalogue, its verdicts, products and models."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from pricematch.client.results.products import Cause, EventKind
from pricematch.client.results.verdicts import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedPosting:
    """A posting as it is stored now; `images` are the SHA-256 of its images, `image` is the first."""

    posting_id: str
    title: str
    image_phash: str | None
    label_group: str | None
    metadata: dict[str, Any]
    image: str | None
    image_url: str | None
    images: tuple[str, ...] = ()
    image_urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingChange:
    """A posting was put, or is gone."""

    revision: int
    kind: Literal["posting"]
    change: Literal["put", "removed"]
    posting_id: str
    posting: ChangedPosting | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictChange:
    """A verdict on a pair was given, or taken back."""

    revision: int
    kind: Literal["verdict"]
    change: Literal["decided", "withdrawn"]
    first: str
    second: str
    verdict: Decision | None
    decided_at: datetime | None
    by: str | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductChange:
    """What happened to a product."""

    revision: int
    kind: Literal["product"]
    change: EventKind
    product_id: str
    cause: Cause
    joined: tuple[str, ...]
    left: tuple[str, ...]
    size: int
    merged_into: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChange:
    """A version of a model was activated."""

    revision: int
    kind: Literal["model"]
    change: Literal["activated"]
    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherChange:
    """A change of a kind that this client does not know yet."""

    revision: int
    kind: str
    change: str


Change: TypeAlias = PostingChange | VerdictChange | ProductChange | ModelChange | OtherChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Changes, in the order in which they were made; the next ones are those since `next_since`."""

    catalogue_version: int
    changes: tuple[Change, ...]
    next_since: str
    more: bool
