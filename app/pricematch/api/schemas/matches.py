"""Schemas of match requests and results."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pricematch.api.problems import Problem
from pricematch.api.schemas.postings import (
    CatalogueVersion,
    EncoderName,
    MinProbability,
    TargetName,
    absent,
    check_one_threshold,
)
from pricematch.catalogue.postings import POSTING_ID_PATTERN
from pricematch.matching.queries import DecidedBy, Options
from pricematch.pairs.match_types import MatchType

_MAX_MATCHES = 50


class MatchQuery(BaseModel):
    """How many matches, and how sure at least."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=10, ge=1, le=_MAX_MATCHES, description="Matches at most.")
    min_probability: Annotated[MinProbability, Field(ge=0, le=1)] | None = None
    target: TargetName | None = None
    min_similarity: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        allow_inf_nan=False,
        description="Leave out matches below this cosine similarity. Absent: with a trained matcher none, else those "
        "below the encoder's threshold, if one was measured.",
    )
    encoder: EncoderName | None = None

    @model_validator(mode="after")
    def _one_threshold(self) -> "MatchQuery":
        check_one_threshold(self.min_probability, self.target)
        return self

    def options(self) -> Options:
        """As the matcher takes them."""
        return Options(self.limit, self.min_similarity, self.min_probability, self.target, self.encoder)


class TitleRequest(BaseModel):
    """A title to match, sent as JSON."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(description="Title of a posting.", examples=["Susu UHT coklat 200 ml isi 3"])


class ReasonOut(BaseModel):
    """One thing that weighed."""

    text: str = Field(examples=["both say 200 ml"])
    weight: float = Field(description="Log odds it adds: above 0 it speaks for the same product, below 0 against.")


class EvidenceOut(BaseModel):
    """Why it is a match."""

    signals: dict[str, float] = Field(
        description="Similarity by each signal that both have something for, higher is closer: `hash` (share of equal "
        "bits), `words`, `grams` and `blend` (three readings of the titles), `image` (cosine of embeddings), `colours` "
        "(the part of their colours that images share).",
        examples=[{"hash": 0.97, "words": 0.81, "grams": 0.77}],
    )
    reasons: list[ReasonOut] = Field(description="What weighed most, the weightiest first; three at most.")


class MatchOut(BaseModel):
    """One posting that resembles the query. Without a trained matcher there is no probability, and none is invented."""

    posting_id: str = Field(pattern=POSTING_ID_PATTERN)
    title: str
    image_url: str | None = Field(description="Null where the posting has no image.")
    probability: float | None = Field(
        default=None,
        ge=0,
        le=1,
        exclude_if=absent,
        description="That both are the same product; absent without a trained matcher, as are `level` and `evidence`.",
    )
    level: MatchType | None = Field(
        default=None,
        exclude_if=absent,
        description="`identical`: the same file, or equal hash and title; `near`: the same image re-encoded, cropped "
        "or marked; `same_product`: otherwise.",
    )
    similarity: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        exclude_if=absent,
        description="Cosine similarity of the images by the encoder; absent where one of them was not embedded.",
    )
    verdict: Literal["same"] | None = Field(
        default=None, exclude_if=absent, description="A person decided that both are the same; absent where nobody did."
    )
    evidence: EvidenceOut | None = Field(default=None, exclude_if=absent)


class DecidedOut(BaseModel):
    """What matches were searched in, and what decided which they are."""

    catalogue_version: CatalogueVersion
    models: dict[str, str] = Field(description="Version of each model involved.")
    took_ms: float = Field(ge=0, description="Milliseconds spent on this request, waiting included.")
    catalogue_size: int = Field(description="Postings that were searched.")
    matcher: str | None = Field(examples=["matcher/1"], description="The trained matcher; null where there is none.")
    decided_by: DecidedBy = Field(description="What the threshold is of.")
    target: str | None = Field(description="What the threshold was picked for; null where the request named it.")
    threshold: float | None = Field(
        description="From which on a posting is a match; null where no threshold reaches the target, or where "
        "only best postings are matches."
    )
    alone: float | None = Field(
        description="From which on the best posting is a match where no other is, `threshold` at most; null where "
        "none is."
    )


class MatchesOut(DecidedOut):
    """Matches in descending probability, or without a trained matcher in descending similarity."""

    matches: list[MatchOut]


class ItemMatchesOut(BaseModel):
    """What became of one of several images: its matches, or the problem it has."""

    index: int = Field(ge=0, description="Position among the images sent, from 0.")
    name: str | None = Field(description="File name it was sent with, the first 255 characters.")
    matches: list[MatchOut] | None = Field(default=None, exclude_if=absent)
    problem: Problem | None = Field(default=None, exclude_if=absent)


class EachMatchesOut(DecidedOut):
    """The answer to `images`: an item for each, in their order."""

    items: list[ItemMatchesOut]
