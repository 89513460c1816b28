"""Schemas of postings and of health."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from pricematch.api.links import Links
from pricematch.api.schemas.fields import CatalogueVersion, ProductOf
from pricematch.api.schemas.images import ImageUrlOut, ImageUrlsOut
from pricematch.catalogue.postings import Posting


class PostingOut(BaseModel):
    """A stored posting."""

    posting_id: str
    title: str
    image_phash: str | None = Field(description="16 hexadecimal digits, if the catalogue has them.")
    label_group: str | None = Field(description="The known product, if the catalogue has it.")
    image_url: ImageUrlOut
    image_urls: ImageUrlsOut
    product_id: ProductOf
    metadata: dict[str, Any] = Field(description="Fields of its seller's own; empty where it has none.")


class StoredPostingOut(PostingOut):
    """A stored posting, and the catalogue it is in."""

    catalogue_version: CatalogueVersion


class PostingsOut(BaseModel):
    """A page of the stored postings, in the order of their ids."""

    catalogue_version: CatalogueVersion
    total: int = Field(ge=0, description="Postings of all pages.")
    postings: list[PostingOut]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")


class RemovedOut(BaseModel):
    """What became of a posting that was to be removed: it is not there."""

    catalogue_version: CatalogueVersion
    posting_id: str
    removed: bool = Field(description="Whether it was there.")


class RemovedMatchingOut(BaseModel):
    """What became of postings that were to be removed by a filter."""

    catalogue_version: CatalogueVersion
    dry_run: bool = Field(description="Whether they were only counted.")
    matched: int = Field(ge=0, description="Of how many postings the filter held.")
    removed: int = Field(ge=0, description="How many of them were removed; if fewer, ask again for the others.")


class HealthOut(BaseModel):
    """How the service is."""

    status: Literal["ok"]


class ReadinessOut(BaseModel):
    """How the service is, and its namespaces beside the default one."""

    status: Literal["ready"]
    unready: int = Field(description="Namespaces that cannot answer, though the service does.")
    reasons: dict[str, str] | None = Field(
        description="Why, by their names; null where keys are asked for and this is none for all namespaces."
    )


def posting_fields(posting: Posting, links: Links, product: str | None) -> dict[str, Any]:
    """A posting and the id of its product by the fields of `PostingOut`."""
    return {
        "posting_id": posting.posting_id,
        "title": posting.title,
        "image_phash": posting.image_phash,
        "label_group": posting.label_group,
        **links.images(posting),
        "product_id": product,
        "metadata": posting.metadata.as_json(),
    }
