"""Schemas of feedback on pairs of postings, and of pairs to review."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from pricematch.api.dependencies import read_posting_id
from pricematch.api.schemas.fields import CatalogueVersion, ProbabilitiesField, TargetName
from pricematch.api.schemas.filters import FilterText
from pricematch.api.schemas.matches import EvidenceOut
from pricematch.api.schemas.postings import PostingOut
from pricematch.catalogue.feedback import Contradiction
from pricematch.catalogue.feedback_batches import FeedbackFilter, FeedbackPlace, FeedbackSort
from pricematch.catalogue.records import (
    MAX_AUTHOR_CHARS,
    MAX_NOTE_CHARS,
    Decision,
    PairFeedback,
    as_author,
    as_note,
)
from pricematch.pairs.explanation import MatchType


class ReviewQuery(BaseModel):
    """How many pairs, and which threshold every other one is near."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=10, ge=1, le=100, description="Pairs at most.")
    filter: FilterText = None
    target: TargetName | None = None


AuthorIn = Annotated[
    str | None,
    AfterValidator(lambda text: None if text is None else as_author(text)),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": MAX_AUTHOR_CHARS}, {"type": "null"}]}),
    Field(description="Who says so; the name of the API key if absent, where there are keys."),
]
NoteIn = Annotated[
    str,
    AfterValidator(as_note),
    WithJsonSchema({"type": "string", "maxLength": MAX_NOTE_CHARS}),
    Field(description="Why, for people."),
]


class VerdictIn(BaseModel):
    """A person's decision on two postings."""

    model_config = ConfigDict(extra="forbid")

    verdict: Decision = Field(description="`same`: the same product; `different`: not.")
    by: AuthorIn = None
    note: NoteIn = ""


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
    by: str | None = Field(description="Who said so, where that is known.")
    note: str


class StoredVerdictOut(VerdictOut):
    """A verdict, and what it contradicts."""

    catalogue_version: CatalogueVersion
    contradictions: list[ContradictionOut] = Field(description="Those that this verdict has a part in.")


class VerdictsQuery(BaseModel):
    """Which verdicts are listed, and in which order."""

    model_config = ConfigDict(extra="forbid")

    by: str | None = Field(default=None, max_length=MAX_AUTHOR_CHARS, description="Those of one author.")
    posting_id: Annotated[str, AfterValidator(read_posting_id)] | None = Field(
        default=None, description="Those on one posting."
    )
    decision: Decision | None = None
    sort: FeedbackSort = Field(default="ids", description="By the ids of both postings, or the latest verdict first.")
    cursor: str = Field(default="", max_length=2048, description="Where the page begins: a `next_cursor`.")
    offset: int = Field(
        default=0, ge=0, le=2**31, description="Leave out that many; pages by `cursor` miss none when others decide."
    )
    limit: int = Field(default=100, ge=1, le=1000, description="Verdicts at most.")

    @model_validator(mode="after")
    def _one_beginning(self) -> "VerdictsQuery":
        if self.cursor and self.offset:
            raise ValueError("expected either cursor or offset, got both")
        self.place()
        return self

    def place(self) -> FeedbackPlace | None:
        """The place behind which the page begins; None for the first one. Raises ValueError."""
        if not self.cursor:
            return None
        try:
            sort, decided_at, first, second = json.loads(urlsafe_b64decode(self.cursor))
            found = float(decided_at), read_posting_id(first), read_posting_id(second)
        except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            raise ValueError("expected a next_cursor") from error
        if sort != self.sort:
            raise ValueError(f"expected a next_cursor of sort={self.sort}, got one of another order")
        return found

    def cursor_of(self, last: PairFeedback) -> str:
        """The cursor of the page behind a verdict; the inverse of `place`."""
        place = [self.sort, last.decided_at, last.first, last.second]
        return urlsafe_b64encode(json.dumps(place).encode()).decode()

    @property
    def chosen(self) -> FeedbackFilter:
        """Which verdicts are listed."""
        return FeedbackFilter(self.by, self.posting_id, self.decision)


class VerdictsOut(BaseModel):
    """A page of verdicts, and all contradictions among all of them, listed or not."""

    catalogue_version: CatalogueVersion
    total: int = Field(ge=0, description="Verdicts of all pages.")
    verdicts: list[VerdictOut]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")
    next_offset: int | None = Field(
        description="`offset` of the next page; null on the last, and of a page that begins at a cursor."
    )
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
    return VerdictOut(
        first=verdict.first,
        second=verdict.second,
        verdict=verdict.decision,
        decided_at=datetime.fromtimestamp(verdict.decided_at, UTC),
        by=verdict.by,
        note=verdict.note,
    )


def contradictions_out(found: Sequence[Contradiction]) -> list[ContradictionOut]:
    """The first hundred contradictions."""
    return [ContradictionOut(first=it.first, second=it.second, chain=list(it.chain)) for it in found[:100]]
