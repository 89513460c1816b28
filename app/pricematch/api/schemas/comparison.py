"""Schemas of comparisons of two postings."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pricematch.api.dependencies import read_posting_id
from pricematch.api.schemas.fields import (
    CatalogueVersion,
    EncoderName,
    MetadataIn,
    MinProbability,
    ProbabilitiesField,
    TargetName,
    check_one_threshold,
    finite,
    took_ms,
)
from pricematch.api.schemas.images import EncodedImages, ImageUrls
from pricematch.api.schemas.matches import EvidenceOut
from pricematch.catalogue.records import Decision as Verdict
from pricematch.matching.queries import DecidedBy, Options
from pricematch.pairs.explanation import MatchType
from pricematch.serving.match_records import evidence_fields
from pricematch.serving.results import Compared


class ItemIn(BaseModel):
    """One posting: a stored one by its id, or one that is not stored."""

    model_config = ConfigDict(extra="forbid")

    posting_id: Annotated[str, AfterValidator(read_posting_id)] | None = Field(
        default=None, description="Id of a stored posting; nothing beside it then."
    )
    title: str = Field(default="", description="Title of a posting.", examples=["Susu UHT coklat 200 ml isi 3"])
    image: EncodedImages | None = None
    image_url: ImageUrls | None = None
    metadata: MetadataIn | None = Field(
        default=None,
        description="Its own, of which a matcher compares what is evidence; a stored posting has that which is stored. "
        "In a form as text of JSON.",
    )

    @model_validator(mode="after")
    def _either(self) -> "ItemIn":
        if self.posting_id is not None and self.metadata is not None:
            raise ValueError("expected either posting_id or metadata, got both")
        given = bool(self.title) or self.image is not None or self.image_url is not None
        if (self.posting_id is None) != given:
            got = "both" if given else "neither"
            raise ValueError(f"expected either posting_id, or a title, an image or both, got {got}")
        return self


class CompareOptions(BaseModel):
    """What decides whether they match."""

    model_config = ConfigDict(extra="forbid")

    min_probability: Annotated[MinProbability, Field(ge=0, le=1)] | None = None
    target: TargetName | None = None
    min_similarity: float | None = Field(
        default=None, ge=-1, le=1, allow_inf_nan=False, description="Without a matcher: the threshold of the cosine."
    )
    encoder: EncoderName | None = None

    @model_validator(mode="after")
    def _one_threshold(self) -> "CompareOptions":
        check_one_threshold(self.min_probability, self.target)
        return self

    def options(self) -> Options:
        """As the matcher takes them."""
        return Options(1, self.min_similarity, self.min_probability, self.target, self.encoder)


class CompareRequest(CompareOptions):
    """Two postings to compare, sent as JSON."""

    left: ItemIn
    right: ItemIn


class ComparedImagesOut(BaseModel):
    """Which images are the nearest, by their places from 1."""

    left: int = Field(ge=1, description="Of the images of the left posting.")
    right: int = Field(ge=1, description="Of the right one's.")


class ComparisonOut(BaseModel):
    """What is known of two postings."""

    catalogue_version: CatalogueVersion
    models: dict[str, str] = Field(description="Version of each model involved.")
    took_ms: float = Field(ge=0, description="Milliseconds spent on this request, waiting included.")
    matcher: str | None = Field(description="`matcher/default`, or a trained one; null where similarity decides.")
    decided_by: DecidedBy = Field(description="What the threshold is of.")
    probabilities: ProbabilitiesField
    target: str | None = Field(description="What the threshold was picked for; null where the request named it.")
    threshold: float | None = Field(description="From which on they match; null where none reaches the target.")
    is_match: bool | None = Field(description="Whether they match; null where nothing that decides is known of both.")
    probability: float | None = Field(
        ge=0,
        le=1,
        description="That both are the same product, 1 or 0 by a verdict; null without a matcher, and where nothing "
        "that it compares is known of both.",
    )
    level: MatchType | None = Field(description="How they are the same; null where they do not match.")
    similarity: float | None = Field(ge=-1, le=1, description="Cosine of the images; null where one has none.")
    verdict: Verdict | None = Field(description="What a person decided on two stored postings.")
    evidence: EvidenceOut | None = Field(description="What the probability rests on; null where there is none.")
    images: ComparedImagesOut | None = Field(
        description="Which images are the nearest, where either has several; else null."
    )
    no_evidence: list[Literal["left", "right"]] = Field(
        description="Sides whose image is a stock image or of one colour, and says nothing."
    )


def comparison_fields(found: Compared, started: float) -> dict[str, Any]:
    """The fields of `ComparisonOut`; `started` is when the request came, see `took_ms`."""
    matcher, comparison = found.snapshot.matcher, found.comparison
    decision, trained, evidence = comparison.decision, matcher.probability, comparison.evidence
    pair = comparison.image_pair
    return {
        "catalogue_version": found.snapshot.version,
        "models": dict(decision.models),
        "took_ms": took_ms(started),
        "matcher": None if trained is None else trained.label,
        "decided_by": decision.by,
        "probabilities": decision.probabilities,
        "target": None if decision.target is None else str(decision.target),
        "threshold": finite(decision.threshold),
        "is_match": comparison.is_match,
        "probability": comparison.probability,
        "level": comparison.match_type if comparison.is_match else None,
        "similarity": comparison.similarity,
        "verdict": comparison.verdict,
        "evidence": None if evidence is None else evidence_fields(evidence),
        "images": None if pair is None else {"left": pair[0] + 1, "right": pair[1] + 1},
        "no_evidence": list(comparison.no_evidence),
    }
