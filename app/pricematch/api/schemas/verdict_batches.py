"""Schemas of batches of feedback."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pricematch.api.dependencies import read_posting_id
from pricematch.api.schemas.fields import CatalogueVersion, ProbabilitiesField
from pricematch.api.schemas.verdicts import AuthorIn, ContradictionOut, NoteIn, contradictions_out
from pricematch.catalogue.feedback_batches import FeedbackBatch, PairDecision
from pricematch.catalogue.records import Decision, Remark
from pricematch.serving.feedback_batches import BatchOptions, BatchPreview, PairSelection
from pricematch.serving.results import BatchResult
from pricematch.settings import Settings

BATCH_ID = r"^[0-9a-f]{32}$"
_Id = Annotated[str, AfterValidator(read_posting_id)]
_Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class DecisionIn(BaseModel):
    """A decision on two stored postings, in whichever order."""

    model_config = ConfigDict(extra="forbid")

    left: _Id
    right: _Id
    decision: Decision


class PairsIn(BaseModel):
    """All scored pairs of the catalogue on which nobody has decided, of some probabilities."""

    model_config = ConfigDict(extra="forbid")

    min_probability: _Probability
    max_probability: _Probability = 1.0

    @model_validator(mode="after")
    def _in_order(self) -> "PairsIn":
        if self.min_probability > self.max_probability:
            raise ValueError(f"expected max_probability from {self.min_probability:g} on, got {self.max_probability:g}")
        return self


class BatchIn(BaseModel):
    """Many decisions: each by itself, or one on all pairs of a selection."""

    model_config = ConfigDict(extra="forbid")

    decisions: list[DecisionIn] | None = Field(default=None, min_length=1, description="Each pair once.")
    decision: Decision | None = Field(default=None, description="On all of `pairs`.")
    pairs: PairsIn | None = None
    by: AuthorIn = None
    note: NoteIn = ""
    preview: bool = Field(default=False, description="Store nothing: say what it would do.")
    if_version: int | None = Field(
        default=None, ge=0, description="Do nothing unless the catalogue is of this version: that of a preview."
    )

    @model_validator(mode="after")
    def _one_way(self) -> "BatchIn":
        given = [name for name in ("decisions", "decision", "pairs") if getattr(self, name) is not None]
        if given not in (["decisions"], ["decision", "pairs"]):
            got = " and ".join(given) or "none of them"
            raise ValueError(f"expected either decisions, or decision and pairs, got {got}")
        return self

    def options(self, key: str | None, settings: Settings) -> BatchOptions:
        """The same for the service; `key` is the name of the request's key."""
        remark = Remark(self.by or key, self.note)
        chosen: list[PairDecision] | PairSelection
        if self.pairs is not None and self.decision is not None:
            chosen = PairSelection(self.decision, self.pairs.min_probability, self.pairs.max_probability)
        else:
            chosen = [PairDecision(it.left, it.right, it.decision) for it in self.decisions or ()]
        return BatchOptions(chosen, remark, self.if_version, settings.max_batch_pairs)


class BatchCountsOut(BaseModel):
    """What a batch does to the verdicts on its pairs."""

    new: int = Field(ge=0, description="Pairs that nobody had decided on.")
    changed: int = Field(ge=0, description="Pairs that were decided the other way.")
    unchanged: int = Field(ge=0, description="Pairs that were decided so: they keep their author, note and time.")


class BatchPreviewOut(BatchCountsOut):
    """What a batch would do."""

    catalogue_version: CatalogueVersion
    expected_wrong: float | None = Field(
        description="How many of the new and changed ones to expect to be wrong: the sum of 1 − p over `same`, and of "
        "p over `different`; p is 0 of a pair that is no candidate. Null without a matcher."
    )
    probabilities: ProbabilitiesField
    total_contradictions: int = Field(ge=0)
    contradictions: list[ContradictionOut] = Field(description="The first hundred of those that it would make.")
    products_merged: int | None = Field(description="Products that would be part of others; null where none are kept.")
    products_split: int | None = Field(description="Products that would lose postings to others.")


class BatchOut(BatchCountsOut):
    """A batch of verdicts."""

    batch_id: str = Field(pattern=BATCH_ID)
    by: str | None
    note: str
    decided_at: datetime
    undone_at: datetime | None = Field(description="When it was taken back; null if it was not.")
    restored: int = Field(ge=0, description="Once it is taken back: pairs that are as they were before.")
    kept: int = Field(ge=0, description="And pairs that somebody had decided anew: they stay so.")


class StoredBatchOut(BatchOut):
    """A batch of verdicts as it is now."""

    catalogue_version: CatalogueVersion


class BatchesOut(BaseModel):
    """A page of batches, the newest first."""

    catalogue_version: CatalogueVersion
    batches: list[BatchOut]
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last.")


def preview_out(found: BatchPreview) -> BatchPreviewOut:
    """What a batch would do, by the fields of `BatchPreviewOut`."""
    return BatchPreviewOut(
        catalogue_version=found.version,
        new=found.counts.new,
        changed=found.counts.changed,
        unchanged=found.counts.unchanged,
        expected_wrong=None if found.expected_wrong is None else round(found.expected_wrong, 6),
        probabilities=found.probabilities,
        total_contradictions=len(found.contradictions),
        contradictions=contradictions_out(found.contradictions),
        products_merged=found.merged,
        products_split=found.split,
    )


def batch_out(it: FeedbackBatch) -> BatchOut:
    """A batch by the fields of `BatchOut`."""
    return BatchOut(
        batch_id=it.batch_id,
        new=it.counts.new,
        changed=it.counts.changed,
        unchanged=it.counts.unchanged,
        by=it.by,
        note=it.note,
        decided_at=datetime.fromtimestamp(it.decided_at, UTC),
        undone_at=None if it.undone_at is None else datetime.fromtimestamp(it.undone_at, UTC),
        restored=it.restored,
        kept=it.kept,
    )


def stored_batch_out(found: BatchResult) -> StoredBatchOut:
    """A batch by the fields of `StoredBatchOut`."""
    return StoredBatchOut(catalogue_version=found.version, **batch_out(found.batch).model_dump())
