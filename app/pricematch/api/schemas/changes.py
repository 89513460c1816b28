"""Schemas of changes, as pages, as events of a stream and as messages to webhooks."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from pricematch.api.links import Links
from pricematch.api.schemas.fields import CatalogueVersion
from pricematch.api.schemas.images import ImageUrlOut, ImageUrlsOut
from pricematch.api.schemas.products import ProductIdField
from pricematch.catalogue.feed import Change, ChangeKind, FeedPage, Position, position_of
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.products import Cause, Kind, ProductEvent, product_id
from pricematch.catalogue.records import Decision, FeedbackChange, PostingChange
from pricematch.errors import HistoryLost
from pricematch.serving.results import ChangesRead

KINDS: Mapping[str, ChangeKind] = MappingProxyType(
    {"posting": "posting", "verdict": "feedback", "product": "product", "model": "model"}
)
"""Kinds of changes by the words of this API."""
MAX_CHANGES = 1000
_MAX_CHARS = 100
_FIELDS = TypeAdapter(dict[str, Any])


def read_position(value: str) -> Position:
    """A position by its text; raises ValueError."""
    if (found := position_of(value)) is None:
        raise ValueError("expected a version, or a next_since of before")
    return found


def _kinds(value: str) -> str:
    """Names of kinds, with commas between them; raises ValueError."""
    if len(value) > _MAX_CHARS or not {name.strip() for name in value.split(",")} <= KINDS.keys():
        raise ValueError(f"expected some of {', '.join(KINDS)}, with commas between them")
    return value


def _since(value: str) -> str:
    """The text of a position; raises ValueError."""
    read_position(value)
    return value


class ChangesQuery(BaseModel):
    """Which changes, and how long to wait for them."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[str, AfterValidator(_since)] = Field(
        default="0",
        description="A catalogue's version, or `next_since`; 0: from nothing on.",
        json_schema_extra={"pattern": r"^[0-9]{1,18}(:[0-9]{1,18})?(@[0-9a-f]{8})?$"},
    )
    limit: int = Field(default=100, ge=1, le=MAX_CHANGES, description="Changes at most.")
    kinds: Annotated[str, AfterValidator(_kinds)] = Field(
        default=",".join(KINDS), examples=["posting,product"], description="Kinds of changes, with commas between them."
    )
    wait: float = Field(
        default=0, ge=0, allow_inf_nan=False, description="Seconds to wait where there is no change yet."
    )

    @property
    def position(self) -> Position:
        """Behind which changes are wanted."""
        return read_position(self.since)

    @property
    def wanted(self) -> frozenset[ChangeKind]:
        """The kinds."""
        return frozenset(KINDS[name.strip()] for name in self.kinds.split(","))


class _ChangeOut(BaseModel):
    """Something that changed."""

    revision: int = Field(ge=1, description="The catalogue's version that it made.")


class ChangedPostingOut(BaseModel):
    """A posting as it is stored now."""

    posting_id: str
    title: str
    image_phash: str | None
    label_group: str | None
    metadata: dict[str, Any] = Field(description="Fields of its seller's own; empty where it has none.")
    image: str | None = Field(description="SHA-256 of the image in hexadecimal digits; null where it has none.")
    image_url: ImageUrlOut
    images: list[str] = Field(description="SHA-256 of all its images, each in its place; the first is `image`.")
    image_urls: ImageUrlsOut


class PostingChangeOut(_ChangeOut):
    """A posting was put, or is gone."""

    kind: Literal["posting"]
    change: Literal["put", "removed"]
    posting_id: str
    posting: ChangedPostingOut | None = Field(description="Null where it was removed.")


class VerdictChangeOut(_ChangeOut):
    """A verdict on a pair was given, or taken back."""

    kind: Literal["verdict"]
    change: Literal["decided", "withdrawn"]
    first: str
    second: str
    verdict: Decision | None = Field(description="Null where it was withdrawn.")
    decided_at: datetime | None
    by: str | None = Field(description="Who said so, where that is known.")
    note: str


class ProductChangeOut(_ChangeOut):
    """What happened to a product: `change` says it as `kind` of an event in its history does."""

    kind: Literal["product"]
    change: Kind
    product_id: ProductIdField
    cause: Cause
    joined: list[str] = Field(description="posting_ids that came; each of these is of no other product any more.")
    left: list[str] = Field(description="posting_ids that went.")
    size: int = Field(ge=0, description="Members afterwards.")
    merged_into: ProductIdField | None
    at: datetime


class ModelChangeOut(_ChangeOut):
    """A version of a model was activated: it answers once it is loaded, and all is scored with it."""

    kind: Literal["model"]
    change: Literal["activated"]
    name: str
    version: str


class ChangesOut(BaseModel):
    """Changes, in the order in which they were made."""

    catalogue_version: CatalogueVersion
    changes: list[
        Annotated[PostingChangeOut | VerdictChangeOut | ProductChangeOut | ModelChangeOut, Field(discriminator="kind")]
    ]
    next_since: str = Field(description="`since` of the next page; all up to there was told.")
    more: bool = Field(description="Whether the next page has changes already.")


def changes_fields(found: ChangesRead, links: Links) -> dict[str, Any]:
    """The fields of `ChangesOut`."""
    return {
        "catalogue_version": found.version,
        "changes": [change_fields(change, links) for change in found.page.changes],
        "next_since": str(found.page.next),
        "more": found.page.more,
    }


def events_text(page: FeedPage, links: Links) -> bytes:
    """The changes of a page as events (HTML, section 9.2.6); the id of each is the position behind it.

    Their data is in ASCII: some readers end lines at separators that other languages have.
    """
    events = (
        b"id: %b\nevent: %b\ndata: %b\n\n"
        % (
            str(page.since.at(it.revision)).encode(),
            fields["kind"].encode(),
            _FIELDS.dump_json(fields, ensure_ascii=True),
        )
        for it in page.changes
        for fields in [change_fields(it, links)]
    )
    return b"".join(events)


def webhook_message(found: ChangesRead | HistoryLost, links: Links) -> bytes:
    """A message to a webhook: a page; where changes before it are lost, one that says where it goes on."""
    if isinstance(found, ChangesRead):
        return _FIELDS.dump_json(changes_fields(found, links))
    lost = {"revision": found.start_at, "kind": "history", "change": "lost", "start_at": found.start_at}
    next_since = str(found.start_at)
    message = {"catalogue_version": found.start_at, "changes": [lost], "next_since": next_since, "more": False}
    return json.dumps(message).encode()


def change_fields(change: Change, links: Links) -> dict[str, Any]:
    """The fields of a change."""
    fields: dict[str, Any] = {"revision": change.revision}
    if isinstance(change, PostingChange):
        posting = None if change.posting is None else _posting_fields(change.posting, links)
        how = "removed" if posting is None else "put"
        return {**fields, "kind": "posting", "change": how, "posting_id": change.posting_id, "posting": posting}
    if isinstance(change, FeedbackChange):
        decided_at = None if change.decided_at is None else datetime.fromtimestamp(change.decided_at, UTC)
        how = "withdrawn" if change.decision is None else "decided"
        pair = {"first": change.first, "second": change.second, "verdict": change.decision}
        said = {"decided_at": decided_at, "by": change.by, "note": change.note}
        return {**fields, "kind": "verdict", "change": how, **pair, **said}
    if isinstance(change, ProductEvent):
        return {**fields, **_event_fields(change)}
    return {**fields, "kind": "model", "change": "activated", "name": change.name, "version": change.version}


def _event_fields(event: ProductEvent) -> dict[str, Any]:
    return {
        "kind": "product",
        "change": event.kind,
        "product_id": product_id(event.number),
        "cause": event.cause,
        "joined": list(event.joined),
        "left": list(event.left),
        "size": event.size,
        "merged_into": None if event.into is None else product_id(event.into),
        "at": datetime.fromtimestamp(event.at, UTC),
    }


def _posting_fields(posting: Posting, links: Links) -> dict[str, Any]:
    return {
        "posting_id": posting.posting_id,
        "title": posting.title,
        "image_phash": posting.image_phash,
        "label_group": posting.label_group,
        "metadata": posting.metadata.as_json(),
        "image": posting.image,
        "images": list(posting.images),
        **links.images(posting),
    }
