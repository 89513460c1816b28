"""Matches, and why they are."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pricematch.client.results.problems import Problem

Level: TypeAlias = Literal["identical", "near", "same_product"]
Probabilities: TypeAlias = Literal["estimated", "calibrated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing that weighed: above 0 it speaks for the same product, below 0 against, in log odds."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Similarity by each signal, and what weighed most."""

    signals: dict[str, float]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StockImage:
    """An image that many postings show under different titles."""

    postings: int
    titles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedImages:
    """Which image of the query and which of the posting are the nearest, by their places from 1."""

    query: int
    match: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedImages:
    """Which image of the left posting and which of the right one are the nearest, by their places from 1."""

    left: int
    right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One posting that resembles the query; what a service without a matcher does not know is None."""

    posting_id: str
    title: str
    image_url: str | None
    image_urls: tuple[str, ...] = ()
    product_id: str | None = None
    probability: float | None = None
    level: Level | None = None
    similarity: float | None = None
    metadata: dict[str, Any] | None = None
    verdict: Literal["same"] | None = None
    evidence: Evidence | None = None
    images: MatchedImages | None = None
    stock_image: bool | None = None
    one_colour: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decided:
    catalogue_version: int
    models: dict[str, str]
    took_ms: float
    catalogue_size: int
    matcher: str | None
    decided_by: Literal["probability", "similarity"]
    probabilities: Probabilities | None
    target: str | None
    threshold: float | None
    alone: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches(_Decided):
    """Matches, the surest first, and what decided which they are."""

    matches: tuple[Match, ...]
    next_cursor: str | None = None
    stock_image: StockImage | None = None
    one_colour: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemMatches:
    """The matches of one of several images, or its problem."""

    index: int
    name: str | None
    matches: tuple[Match, ...] | None = None
    next_cursor: str | None = None
    stock_image: StockImage | None = None
    one_colour: bool | None = None
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EachMatches(_Decided):
    """Matches of several images, in their order."""

    items: tuple[ItemMatches, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is known of two postings; `no_evidence` names sides whose image says nothing."""

    catalogue_version: int
    models: dict[str, str]
    took_ms: float
    matcher: str | None
    decided_by: Literal["probability", "similarity"]
    probabilities: Probabilities | None
    target: str | None
    threshold: float | None
    is_match: bool | None
    probability: float | None
    level: Level | None
    similarity: float | None
    verdict: Literal["same", "different"] | None
    evidence: Evidence | None
    no_evidence: tuple[Literal["left", "right"], ...]
    images: ComparedImages | None = None
