"""Schemas of cluster requests and results."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pricematch.api.problems import Problem
from pricematch.api.schemas.fields import (
    CatalogueVersion,
    EncoderName,
    MetadataIn,
    MinProbability,
    ProbabilitiesField,
    TargetName,
    absent,
    check_one_threshold,
)
from pricematch.api.schemas.filters import FilterJson
from pricematch.api.schemas.images import EncodedImage
from pricematch.api.schemas.verdicts import ContradictionOut
from pricematch.catalogue.metadata import METADATA, Metadata, parse_metadata
from pricematch.catalogue.postings import as_posting_id
from pricematch.clustering.assignment import Method
from pricematch.errors import FieldInvalid
from pricematch.formats.posting_rows import metadata_limits
from pricematch.matching.probability_clusters import LEAST_MEAN
from pricematch.settings import Settings

ClusterMethod: TypeAlias = Method | Literal["matcher"]
_Eps = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False, description="Cosine distance, 0…2.")]
_OF_SIMILARITY = {"eps", "min_samples", "encoder"}
_OF_PROBABILITY = {"min_probability", "target", "metadata"}


def _all_or_ids(value: Any) -> Any:
    """One message for one mistake, found before the union of both is tried on each of many items."""
    if value == "all" or (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        return value if value == "all" else list(map(as_posting_id, value))
    raise ValueError('expected "all" or a list of ids')


class ClusterRequest(BaseModel):
    """What to cluster, and how. Multipart requests carry the same fields beside their `images`."""

    model_config = ConfigDict(extra="forbid")

    posting_ids: Annotated[Literal["all"] | list[str], BeforeValidator(_all_or_ids)] = Field(
        default=[], description="Ids of stored postings, or `all` of them."
    )
    method: ClusterMethod = Field(
        default="dbscan",
        description="`dbscan`, `optics`: density clusters. `nearest`: each item's cluster is its own list of the at "
        "most 50 items closer than eps. `ensemble`: the longest of the three. Clusters of the last two may overlap. "
        "`matcher`: postings and images by the probabilities of the matcher.",
    )
    eps: _Eps = 0.005
    min_samples: int = Field(default=2, ge=1, le=1000, description="Neighbours that make an item core; not nearest.")
    encoder: EncoderName | None = None
    min_probability: Annotated[MinProbability, Field(ge=LEAST_MEAN, le=1)] | None = None
    target: TargetName | None = None
    filter: FilterJson = None
    metadata: list[MetadataIn] = Field(
        default=[],
        description="Of each image its own, in their order, `{}` where one has none; of these a matcher compares what "
        "is evidence. With method `matcher` only. In a form texts of JSON.",
    )
    cursor: str = Field(
        default="",
        pattern=r"^([0-9]{1,9})?$",
        description="Where the page begins: a `next_cursor` of the same request.",
    )
    offset: int = Field(default=0, ge=0, le=2**31, description="The same as a number: a page's `next_offset`.")
    limit: int = Field(
        default=100_000, ge=1, le=100_000, description="Items a page; no more than the service's own limit."
    )

    @model_validator(mode="after")
    def _fields_of_the_method(self) -> "ClusterRequest":
        others = _OF_SIMILARITY if self.method == "matcher" else _OF_PROBABILITY
        if given := sorted(others & self.model_fields_set):
            raise ValueError(f"method {self.method} takes no {', '.join(given)}")
        check_one_threshold(self.min_probability, self.target)
        if self.cursor and self.offset:
            raise ValueError("expected either cursor or offset, got both")
        return self

    def own(self, images: int, settings: Settings) -> list[Metadata]:
        """The metadata of each of some images, or none at all; raises FieldInvalid."""
        if not self.metadata:
            return []
        if len(self.metadata) != images:
            raise FieldInvalid(METADATA, f"expected one for each of {images} images, got {len(self.metadata)}")
        limits = metadata_limits(settings)
        return [parse_metadata(it, limits, f"{METADATA}[{place}]") for place, it in enumerate(self.metadata)]

    @property
    def first(self) -> int:
        """Position of the page's first item."""
        return int(self.cursor or self.offset)


class ClusterJson(ClusterRequest):
    """A request in JSON, which has the images as texts."""

    images: list[EncodedImage] = Field(default=[], description="Images that are clustered with the postings.")


class ItemOut(BaseModel):
    """One item of the batch."""

    posting_id: str | None = Field(description="The stored posting, or null for an image.")
    image: int | None = Field(description="Position among the images sent, from 0, or null for a posting.")
    status: Literal["clustered", "noise", "problem"]
    cluster: int | None = Field(description="Its cluster, or null.")
    problem: Problem | None = Field(default=None, description="Why it could not be clustered.")


class ClusterOut(BaseModel):
    """One cluster's members."""

    cluster: int
    posting_ids: list[str]
    images: list[int]
    cohesion: float | None = Field(
        default=None,
        ge=0,
        le=1,
        exclude_if=absent,
        description="Mean probability of all pairs within; with method matcher only.",
    )


class ClustersOut(BaseModel):
    """An assignment per item of the page, and the members of every cluster whose first item is on it."""

    catalogue_version: CatalogueVersion
    models: dict[str, str]
    took_ms: float = Field(ge=0)
    method: ClusterMethod
    eps: _Eps | None = Field(description="Null with method matcher.")
    min_samples: int | None = Field(description="Null with method matcher.")
    target: str | None = Field(description="What the threshold was picked for; with method matcher only.")
    threshold: float | None = Field(description="Mean probability clusters were joined at; with method matcher only.")
    probabilities: ProbabilitiesField
    total_items: int = Field(description="Items of all pages.")
    total_clusters: int = Field(description="Clusters of all pages.")
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")
    next_offset: int | None = Field(description="The same as a number, `offset` of the next page.")
    total_contradictions: int = Field(
        ge=0, description="Of people's verdicts on postings of the batch; no verdict is dropped because of them."
    )
    contradictions: list[ContradictionOut] = Field(description="The first hundred.")
    items: list[ItemOut]
    clusters: list[ClusterOut]
