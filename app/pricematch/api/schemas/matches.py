"""Matches as JSON has them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from pricematch.api.links import Links
from pricematch.api.problems import Problem, problem_of
from pricematch.api.schemas.fields import (
    CatalogueVersion,
    ProbabilitiesField,
    ProductOf,
    absent,
    finite,
    took_ms,
)
from pricematch.api.schemas.images import ImageUrlOut, ImageUrlsOut
from pricematch.catalogue.postings import Posting
from pricematch.errors import ImageError
from pricematch.matching.queries import DecidedBy, Decision, Match, Matches, Result
from pricematch.pairs.explanation import MatchType
from pricematch.serving.match_records import match_fields
from pricematch.serving.results import Matched, MatchedEach
from pricematch.serving.snapshot import Snapshot


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


class MatchedImagesOut(BaseModel):
    """Which images are the nearest, by their places from 1."""

    query: int = Field(ge=1, description="Of the query's images.")
    match: int = Field(ge=1, description="Of the posting's, as `place` of its address has it.")


class MatchOut(BaseModel):
    """One posting that resembles the query. Without a matcher there is no probability, and none is invented."""

    posting_id: str
    title: str
    image_url: ImageUrlOut
    image_urls: ImageUrlsOut
    product_id: Annotated[ProductOf, Field(exclude_if=absent)] = None
    probability: float | None = Field(
        default=None,
        ge=0,
        le=1,
        exclude_if=absent,
        description="That both are the same product; absent without a matcher, as are `level` and `evidence`.",
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
    metadata: dict[str, Any] | None = Field(
        default=None, exclude_if=absent, description="Fields of its seller's own; absent unless `metadata` asks for it."
    )
    verdict: Literal["same"] | None = Field(
        default=None, exclude_if=absent, description="A person decided that both are the same; absent where nobody did."
    )
    evidence: EvidenceOut | None = Field(default=None, exclude_if=absent)
    images: MatchedImagesOut | None = Field(
        default=None,
        exclude_if=absent,
        description="Which images are the nearest, where either has several; else absent.",
    )
    stock_image: Literal[True] | None = Field(
        default=None, exclude_if=absent, description="Its image is a stock image, and was no evidence; else absent."
    )
    one_colour: Literal[True] | None = Field(
        default=None, exclude_if=absent, description="Its image is of one colour, and was no evidence; else absent."
    )


class StockImageOut(BaseModel):
    """An image that postings show under many different titles, such as a shop's logo: it is no evidence."""

    postings: int = Field(description="How many show it.")
    titles: int = Field(description="How many different titles they have.")


NextCursor = Annotated[str | None, Field(description="`cursor` of the next page of matches; null where there is none.")]
StockImageField = Annotated[
    StockImageOut | None,
    Field(exclude_if=absent, description="The image asked about is a stock image, and was no evidence; else absent."),
]

OneColourField = Annotated[
    Literal[True] | None,
    Field(exclude_if=absent, description="The image asked about is of one colour, and was no evidence; else absent."),
]


class DecidedOut(BaseModel):
    """What matches were searched in, and what decided which they are."""

    catalogue_version: CatalogueVersion
    models: dict[str, str] = Field(description="Version of each model involved.")
    took_ms: float = Field(ge=0, description="Milliseconds spent on this request, waiting included.")
    catalogue_size: int = Field(description="Postings that were searched.")
    matcher: str | None = Field(
        examples=["matcher/1"], description="`matcher/default`, or a trained one; null where similarity decides."
    )
    decided_by: DecidedBy = Field(description="What the threshold is of.")
    probabilities: ProbabilitiesField
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
    """Matches in descending probability, or without a matcher in descending similarity."""

    matches: list[MatchOut]
    next_cursor: NextCursor = None
    stock_image: StockImageField = None
    one_colour: OneColourField = None


class ItemMatchesOut(BaseModel):
    """What became of one of several images: its matches, or the problem it has."""

    index: int = Field(ge=0, description="Position among the images sent, from 0.")
    name: str | None = Field(description="File name it was sent with, the first 255 characters.")
    matches: list[MatchOut] | None = Field(default=None, exclude_if=absent)
    next_cursor: Annotated[NextCursor, Field(exclude_if=absent)] = None
    stock_image: StockImageField = None
    one_colour: OneColourField = None
    problem: Problem | None = Field(default=None, exclude_if=absent)


class EachMatchesOut(DecidedOut):
    """The answer to `images`: an item for each, in their order."""

    items: list[ItemMatchesOut]


def matches_fields(found: Matched, started: float, links: Links, *, metadata: bool) -> dict[str, Any]:
    """The fields of `MatchesOut`; `started` is when the request came, see `took_ms`."""
    return {
        **_decided_fields(found.result.decision, found.snapshot, started),
        **_result_fields(found.result, found.snapshot, links, metadata=metadata),
    }


def each_fields(
    found: MatchedEach, names: Sequence[str | None], started: float, links: Links, *, metadata: bool
) -> dict[str, Any]:
    """The fields of `EachMatchesOut`, with the names that the images were sent with."""
    items = [
        {"index": index, "name": name, "problem": problem_of(result).model_dump()}
        if isinstance(result, ImageError)
        else {
            "index": index,
            "name": name,
            **_present(_result_fields(result, found.snapshot, links, metadata=metadata)),
        }
        for index, (name, result) in enumerate(zip(names, found.each, strict=True))
    ]
    return {**_decided_fields(found.decision, found.snapshot, started), "items": items}


def _decided_fields(decision: Decision, snapshot: Snapshot, started: float) -> dict[str, Any]:
    trained = snapshot.matcher.probability
    return {
        "catalogue_version": snapshot.version,
        "models": dict(decision.models),
        "took_ms": took_ms(started),
        "catalogue_size": len(snapshot.matcher.catalogue),
        "matcher": None if trained is None else trained.label,
        "decided_by": decision.by,
        "probabilities": decision.probabilities,
        "target": None if decision.target is None else str(decision.target),
        "threshold": finite(decision.threshold),
        "alone": finite(decision.fallback),
    }


def _result_fields(result: Result, snapshot: Snapshot, links: Links, *, metadata: bool) -> dict[str, Any]:
    """Matches, where the next ones are, and why the image was no evidence where it was none."""
    cursor = None if result.next is None else str(result.next)
    matches = _matches_fields(result.matches, snapshot, links, metadata=metadata)
    fields: dict[str, Any] = {"matches": matches, "next_cursor": cursor}
    if result.stock is not None:
        fields["stock_image"] = {"postings": result.stock.postings, "titles": result.stock.titles}
    if result.one_colour:
        fields["one_colour"] = True
    return fields


def _matches_fields(matches: Matches, snapshot: Snapshot, links: Links, *, metadata: bool) -> list[dict[str, Any]]:
    catalogue = snapshot.matcher.catalogue
    postings = catalogue.select(catalogue.located([match.posting_id for match in matches]).values())
    return [
        _match_fields(match, posting, snapshot.product_of(match.posting_id), links, metadata=metadata)
        for match, posting in zip(matches, postings, strict=True)
    ]


def _present(fields: dict[str, Any]) -> dict[str, Any]:
    """Those that are not absent."""
    return {name: value for name, value in fields.items() if value is not None}


def _match_fields(
    match: Match, posting: Posting, product: str | None, links: Links, *, metadata: bool
) -> dict[str, Any]:
    """The fields of `MatchOut`, but for those that are absent."""
    optional = {"product_id": product, "metadata": posting.metadata.as_json() if metadata else None}
    return {
        "posting_id": match.posting_id,
        "title": posting.title,
        **links.images(posting),
        **_present(optional),
        **match_fields(match),
    }
