"""Schemas of feedback on pairs of postings, and of pairs to review."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from pricematch.api.schemas.fields import CatalogueVersion, ProbabilitiesField, TargetName
from pricematch.api.schemas.matches import EvidenceOut
from pricematch.api.schemas.postings import PostingOut
from pricematch.catalogue.feedback import Contradiction
from pricematch.catalogue.records import Decision, PairFeedback
from pricematch.pairs.explanation import MatchType


class ReviewQuery(BaseModel):
    """How many pairs, and which threshold every other one is near."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=10, ge=1, le=100, description="Pairs at most.")
    target: TargetName | None = None


class VerdictIn(BaseModel):
    """A person's decision on two postings."""

    model_config = ConfigDict(extra="forbid")

    verdict: Decision = Field(description="`same`: the same product; `different`: not.")


class ContradictionOut(BaseModel):
    """Two postings with a verdict that they are different, and verdicts by which they are the same."""

    first: str
    second: str
    chain: list[str] = Field(description="From first to second, each the same by feedback as the next.")


class VerdictOut(BaseModel):
    """A verdict on two postings, whether these are still there or not."""

    first: str = Field(description="The lower id of the two.")
    second: str
    verdict: Decision
    decided_at: datetime


class StoredVerdictOut(VerdictOut):
    """A verdict, and what it contradicts."""

    catalogue_version: CatalogueVersion
    contradictions: list[ContradictionOut] = Field(description="Those that this verdict has a part in.")


class VerdictsOut(BaseModel):
    """A page of the verdicts, in the order of their ids, and all contradictions among all of them."""

    catalogue_version: CatalogueVersion
    total: int = Field(ge=0, description="Feedback of all pages.")
    verdicts: list[VerdictOut]
    next_offset: int | None = Field(description="`offset` of the next page; null on the last.")
    total_contradictions: int = Field(ge=0)
    contradictions: list[ContradictionOut] = Field(description="The first hundred.")


class WithdrawnOut(BaseModel):
    """What became of a verdict that was to be taken back: it is not there."""

    catalogue_version: CatalogueVersion
    withdrawn: bool = Field(description="Whether it was there.")


class UnsureOut(BaseModel):
    """Two postings that the matcher is not sure of."""

    first: PostingOut
    second: PostingOut
    probability: float = Field(ge=0, le=1)
    level: MatchType
    evidence: EvidenceOut


class ReviewOut(BaseModel):
    """Pairs for a person to decide, the one that would teach most first; PUT /verdicts/{first}/{second} takes it."""

    catalogue_version: CatalogueVersion
    matcher: str
    threshold: float | None = Field(description="That the probability of every other pair is near.")
    probabilities: ProbabilitiesField
    pairs: list[UnsureOut]


def verdict_out(verdict: PairFeedback) -> VerdictOut:
    """Feedback by the fields of `VerdictOut`."""
    decided_at = datetime.fromtimestamp(verdict.decided_at, UTC)
    return VerdictOut(first=verdict.first, second=verdict.second, verdict=verdict.decision, decided_at=decided_at)


def contradictions_out(found: Sequence[Contradiction]) -> list[ContradictionOut]:
    """The first hundred contradictions."""
    return [ContradictionOut(first=it.first, second=it.second, chain=list(it.chain)) for it in found[:100]]
