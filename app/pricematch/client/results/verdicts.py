"""Verdicts, batches of them, and pairs to review."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from pricematch.client.results.matches import Evidence, Level, Probabilities
from pricematch.client.results.postings import Posting

Decision: TypeAlias = Literal["same", "different"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Two postings that are different by a verdict, and the same by the chain of others between them."""

    first: str
    second: str
    chain: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A person's decision on two postings; `first` is the lower id."""

    first: str
    second: str
    verdict: Decision
    decided_at: datetime
    by: str | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVerdict(Verdict):
    """A verdict, and the contradictions that it has a part in."""

    catalogue_version: int
    contradictions: tuple[Contradiction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """A page of verdicts, and all contradictions."""

    catalogue_version: int
    total: int
    verdicts: tuple[Verdict, ...]
    next_cursor: str | None
    next_offset: int | None
    total_contradictions: int
    contradictions: tuple[Contradiction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """A verdict is not there; whether it was."""

    catalogue_version: int
    withdrawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    new: int
    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPreview(_Counts):
    """What a batch of verdicts would do; `expected_wrong` is how many of them to expect to be wrong."""

    catalogue_version: int
    expected_wrong: float | None
    probabilities: Probabilities | None
    total_contradictions: int
    contradictions: tuple[Contradiction, ...]
    products_merged: int | None
    products_split: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(_Counts):
    """A batch of verdicts; once it is taken back `restored` pairs are as before, and `kept` were decided anew."""

    batch_id: str
    by: str | None
    note: str
    decided_at: datetime
    undone_at: datetime | None
    restored: int
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch(Batch):
    """A batch of verdicts as it is now."""

    catalogue_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """A page of batches, the newest first."""

    catalogue_version: int
    batches: tuple[Batch, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsure:
    """Two postings that the matcher is not sure of."""

    first: Posting
    second: Posting
    probability: float
    level: Level
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Pairs for a person to decide, the one that would teach most first."""

    catalogue_version: int
    matcher: str
    threshold: float | None
    probabilities: Probabilities | None
    pairs: tuple[Unsure, ...]
