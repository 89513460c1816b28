"""What goes over the wire."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from app.api.problems import Problem
from app.matching.clustering.assignment import Method
from app.matching.matches import Matches
from app.matching.postings import POSTING_ID_PATTERN, Catalogue, Posting

MAX_MATCHES = 50

Eps = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False, description="Cosine distance, 0…2.")]


def _all_or_ids(value: Any) -> Any:
    """One message for one mistake, found before the union of both is tried on each of many items."""
    if value == "all" or (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        return value
    raise ValueError('expected "all" or a list of ids')


class MatchQuery(BaseModel):
    """How many matches, and how similar at least."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=10, ge=1, le=MAX_MATCHES, description="Matches at most.")
    min_similarity: float = Field(
        default=-1.0, ge=-1, le=1, allow_inf_nan=False, description="Leave out matches below this cosine similarity."
    )


class MatchOut(BaseModel):
    """One posting that resembles the query."""

    posting_id: str = Field(pattern=POSTING_ID_PATTERN)
    title: str
    similarity: float = Field(ge=-1, le=1, description="Cosine similarity, higher is closer.")
    image_url: str


class MatchesOut(BaseModel):
    """Matches in descending similarity."""

    models: dict[str, str] = Field(description="Version of each model involved.")
    took_ms: float = Field(ge=0, description="Milliseconds spent on this request, waiting included.")
    matches: list[MatchOut]


class PostingOut(BaseModel):
    """A stored posting."""

    posting_id: str
    title: str
    image_phash: str | None = Field(description="16 hexadecimal digits, if the catalogue has them.")
    label_group: str | None = Field(description="The known product, if the catalogue has it.")
    image_url: str


class ClusterRequest(BaseModel):
    """What to cluster, and how. Multipart requests carry the same fields beside their `images`."""

    model_config = ConfigDict(extra="forbid")

    posting_ids: Annotated[Literal["all"] | list[str], BeforeValidator(_all_or_ids)] = Field(
        default=[], description="Ids of stored postings, or `all` of them."
    )
    method: Method = Field(
        default="dbscan",
        description="`dbscan`, `optics`: density clusters. `nearest`: each item's cluster is its own list of the at "
        "most 50 items closer than eps. `ensemble`: the longest of the three. Clusters of the last two may overlap.",
    )
    eps: Eps = 0.005
    min_samples: int = Field(default=2, ge=1, le=1000, description="Neighbours that make an item core; not nearest.")
    offset: int = Field(default=0, ge=0, le=2**31, description="Leave out that many items: a page's `next_offset`.")
    limit: int = Field(
        default=100_000, ge=1, le=100_000, description="Items a page; no more than the service's own limit."
    )


class ItemOut(BaseModel):
    """One item of the batch."""

    posting_id: str | None = Field(description="The stored posting, or null for a picture.")
    image: int | None = Field(description="Position among the pictures sent, from 0, or null for a posting.")
    status: Literal["clustered", "noise", "problem"]
    cluster: int | None = Field(description="Its cluster, or null.")
    problem: Problem | None = Field(default=None, description="Why it could not be clustered.")


class ClusterOut(BaseModel):
    """One cluster's members."""

    cluster: int
    posting_ids: list[str]
    images: list[int]


class ClustersOut(BaseModel):
    """An assignment per item of the page, and the members of every cluster whose first item is on it."""

    models: dict[str, str]
    took_ms: float = Field(ge=0)
    method: Method
    eps: Eps
    min_samples: int
    total_items: int = Field(description="Items of all pages.")
    total_clusters: int = Field(description="Clusters of all pages.")
    next_offset: int | None = Field(description="Where the next page begins; null on the last.")
    items: list[ItemOut]
    clusters: list[ClusterOut]


class HealthOut(BaseModel):
    """How the service is."""

    status: Literal["ok", "ready"]


def image_url(posting_id: str) -> str:
    """Where a posting's picture is served; ids hold no character that a path must escape."""
    return f"/postings/{posting_id}/image"


def posting_out(posting: Posting) -> PostingOut:
    """A posting as it is answered."""
    return PostingOut(
        posting_id=posting.posting_id,
        title=posting.title,
        image_phash=posting.image_phash,
        label_group=posting.label_group,
        image_url=image_url(posting.posting_id),
    )


def matches_out(matches: Matches, catalogue: Catalogue, models: dict[str, str], took_ms: float) -> MatchesOut:
    """Matches as they are answered."""
    return MatchesOut(
        models=models,
        took_ms=took_ms,
        matches=[
            MatchOut(
                posting_id=match.posting_id,
                title=catalogue.posting(match.posting_id).title,
                similarity=match.similarity,
                image_url=image_url(match.posting_id),
            )
            for match in matches
        ],
    )
