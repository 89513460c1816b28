"""Results of the service's verbs: what was found, and the snapshot it was found in."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pricematch.catalogue.feed import FeedPage
from pricematch.catalogue.feedback import Contradiction, contradictions
from pricematch.catalogue.feedback_batches import FeedbackBatch
from pricematch.catalogue.fields import Field
from pricematch.catalogue.metadata import NO_METADATA, Metadata
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Kept, PairFeedback
from pricematch.errors import ImageError
from pricematch.matching.clusters import Clusters
from pricematch.matching.comparison import Comparison
from pricematch.matching.queries import Decision, Result
from pricematch.matching.review import Unsure
from pricematch.serving.snapshot import Snapshot
from pricematch.store.ports import ChangeOutcome


@dataclass(frozen=True, slots=True)
class Matched:
    """The matches of a query."""

    snapshot: Snapshot
    result: Result


@dataclass(frozen=True, slots=True)
class MatchedEach:
    """The matches of each of several images, or why it cannot be used, and the decision rule of all."""

    snapshot: Snapshot
    decision: Decision
    each: Sequence[Result | ImageError]


@dataclass(frozen=True, slots=True)
class ComparedItem:
    """One of two postings that are compared: a stored one by its id, or images, title and metadata of another."""

    posting_id: str | None
    images: Sequence[bytes] = ()
    title: str = ""
    metadata: Metadata = NO_METADATA


@dataclass(frozen=True, slots=True)
class Compared:
    """What is known of two postings."""

    snapshot: Snapshot
    comparison: Comparison


@dataclass(frozen=True, slots=True)
class Clustered:
    """The clusters of a batch, the decision rule that made them, and contradictions among its postings."""

    snapshot: Snapshot
    batch: Clusters
    decision: Decision
    contradictions: Sequence[Contradiction]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of stored postings.

    Attributes:
        snapshot: the newest one.
        total: postings that are stored, or those of them that a filter holds of.
        postings: of the page.
        more: whether there are some behind it.
    """

    snapshot: Snapshot
    total: int
    postings: Sequence[Posting]
    more: bool


@dataclass(frozen=True, slots=True)
class FieldCounts:
    """A declared field, and how many postings have a number there, and how many a text."""

    field: Field
    numbers: int
    texts: int


@dataclass(frozen=True, slots=True)
class DeclaredFields:
    """The declared fields, by their names."""

    snapshot: Snapshot
    fields: Sequence[FieldCounts]


@dataclass(frozen=True, slots=True)
class Declared:
    """A field that is declared, and whether it was not before."""

    counts: FieldCounts
    new: bool


@dataclass(frozen=True, slots=True)
class PutResult:
    """A posting as it is stored, what became of it, and a snapshot that has it."""

    snapshot: Snapshot
    posting: Posting
    kept: Kept


@dataclass(frozen=True, slots=True)
class RemovedMatching:
    """How many postings a filter held of, how many of them were removed, and a snapshot without these."""

    snapshot: Snapshot
    matched: int
    removed: int


@dataclass(frozen=True, slots=True)
class ChangedEach:
    """What became of each of many changes, or why it was not made, and a snapshot that has them."""

    snapshot: Snapshot
    outcomes: Sequence[ChangeOutcome]


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Pairs for a person to decide."""

    snapshot: Snapshot
    decision: Decision
    pairs: Sequence[Unsure]


@dataclass(frozen=True, slots=True)
class FeedbackResult:
    """Feedback on a pair, and the contradictions it has part in.

    Attributes:
        version: of the catalogue.
        feedback: on the pair.
        contradictions: those.
        new: whether it replaced none.
    """

    version: int
    feedback: PairFeedback
    contradictions: Sequence[Contradiction]
    new: bool = False

    @classmethod
    def of(cls, feedback: PairFeedback, snapshot: Snapshot, *, new: bool = False) -> "FeedbackResult":
        """Feedback, with the contradictions of a snapshot that its pair has part in."""
        pair = {feedback.first, feedback.second}
        part = [found for found in contradictions(snapshot.matcher.feedback) if pair in _pairs_of(found)]
        return cls(snapshot.version, feedback, part, new)


@dataclass(frozen=True, slots=True)
class ChangesRead:
    """A page of the changes of what serves, and the catalogue's version that serves."""

    version: int
    page: FeedPage


@dataclass(frozen=True, slots=True)
class FeedbackPage:
    """A page of feedback, and all contradictions in all of it.

    Attributes:
        version: of the catalogue.
        total: how many decisions of all pages there are.
        feedback: of the page.
        more: whether there is some behind it.
        contradictions: of all feedback, whatever is listed.
    """

    version: int
    total: int
    feedback: Sequence[PairFeedback]
    more: bool
    contradictions: Sequence[Contradiction]


@dataclass(frozen=True, slots=True)
class BatchResult:
    """A batch of feedback as it is now, and the catalogue's version."""

    version: int
    batch: FeedbackBatch


@dataclass(frozen=True, slots=True)
class BatchPage:
    """A page of batches of feedback, and whether there are more behind it."""

    version: int
    batches: Sequence[FeedbackBatch]
    more: bool


def _pairs_of(found: Contradiction) -> list[set[str]]:
    """The pairs that contradict each other."""
    return [{found.first, found.second}, *({left, right} for left, right in pairwise(found.chain))]
