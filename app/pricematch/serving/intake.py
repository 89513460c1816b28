"""Changes to a catalogue: stored first, then taken into memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.catalogue.feedback_batches import FeedbackBatch, PairDecision
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import (
    ANYHOW,
    NO_REMARK,
    Condition,
    Decision,
    Kept,
    PairFeedback,
    Patch,
    Put,
    Remark,
    Stored,
)
from pricematch.encoding.stored_images import Encode, StoredImages
from pricematch.errors import RowDamaged
from pricematch.serving.posting_images import BadImage, names_of, of_each
from pricematch.serving.snapshot import Snapshot
from pricematch.serving.snapshots import Snapshots
from pricematch.store.ports import FeedbackStore, PostingStore


@dataclass(frozen=True)
class Offered:
    """A posting to be stored.

    Attributes:
        posting: its `images` are the digests of images that are stored; none where it brings some.
        images: the bytes of its images, each in its place.
        condition: what must be true of the stored one.
    """

    posting: Posting
    images: Sequence[bytes] = ()
    condition: Condition = ANYHOW

    def put(self, forms: Sequence[ImageFeatures]) -> Put:
        """The same as a store takes it, with the stored forms of its images."""
        posting = self.posting.with_images(names_of(forms)) if forms else self.posting
        return Put(posting, [it.stored_form for it in forms], self.condition)


@dataclass(frozen=True)
class Intake:
    """Stores postings and removes them; the next query sees it. Safe to use from several threads.

    Attributes:
        store: keeps postings.
        feedback: keeps feedback on pairs of them.
        images: keeps the features of their images.
        snapshots: the catalogue in memory.
    """

    store: PostingStore
    feedback: FeedbackStore
    images: StoredImages
    snapshots: Snapshots

    def put(self, put: Put) -> tuple[Kept, Snapshot]:
        """Store a posting; the features of its images are kept already, see `StoredImages.keep`.

        Returns:
            What became of it, and the snapshot in which it is found.

        Raises:
            ConditionFailed: the stored one is not as the condition says.
            StoreError: it cannot be kept.
        """
        [kept] = self.store.put([put])
        return kept, self.snapshots.follow([put.posting.posting_id])

    def patch(self, patch: Patch) -> tuple[Posting, Kept, Snapshot]:
        """Change some of a stored posting; the features of images that it brings are kept already, as for `put`.

        Returns:
            The posting, what became of it, and the snapshot in which it is found.

        Raises:
            PostingNotFound, ConditionFailed: it is not there, or not as the condition says.
            FieldInvalid: it would not be as it must be.
            StoreError: it cannot be kept.
        """
        posting, kept = self.store.patch(patch)
        return posting, kept, self.snapshots.follow([patch.posting_id])

    def put_each(self, offered: Sequence[Offered]) -> Sequence[Kept | BadImage]:
        """Store those of some postings whose images can be used; images are encoded together.

        Returns:
            What became of each, or which of its images cannot be used, and why.

        Raises:
            ImageUnavailable: one was to show an image that is not stored; nothing is stored.
            ConditionFailed, StoreError, ModelOutputError: nothing is stored.
        """
        kept = put_each(self.store, self.images, self.snapshots.current.matcher.wanted_of_stored, offered)
        self.snapshots.follow([it.posting.posting_id for it in offered])
        return kept

    def remove(self, posting_id: str, condition: Condition = ANYHOW) -> tuple[bool, int]:
        """Remove a posting: whether it was there, and the catalogue's version in which it is not.

        Raises:
            ConditionFailed: it is not as the condition says.
            StoreError: the store cannot be written to.
        """
        there = self.store.delete(posting_id, condition)
        return there, self.snapshots.follow([posting_id]).version

    def decide(
        self, left: str, right: str, decision: Decision, remark: Remark = NO_REMARK
    ) -> tuple[PairFeedback, bool]:
        """Keep feedback on a pair; whether it is new. Raises StoreError, ValueError for a posting and itself."""
        feedback, new = self.feedback.decide(left, right, decision, remark)
        self.snapshots.follow(())
        return feedback, new

    def withdraw(self, left: str, right: str) -> tuple[bool, int]:
        """Take feedback back: whether it was there, and the catalogue's version without it; raises StoreError."""
        there = self.feedback.withdraw(left, right)
        return there, self.snapshots.follow(()).version

    def decide_each(
        self, decisions: Sequence[PairDecision], remark: Remark, version: int | None = None, *, undecided: bool = False
    ) -> tuple[FeedbackBatch, int]:
        """Keep feedback on many pairs as one change, see `FeedbackStore.decide_each`; and the version that has it."""
        batch = self.feedback.decide_each(decisions, remark, version, undecided=undecided)
        return batch, self.snapshots.follow(()).version

    def undo(self, batch_id: str) -> tuple[FeedbackBatch, int]:
        """Take a batch of feedback back, see `FeedbackStore.undo`; and the version without it."""
        batch = self.feedback.undo(batch_id)
        return batch, self.snapshots.follow(()).version


def put_each(
    store: PostingStore, images: StoredImages, wanted: Wanted, offered: Sequence[Offered]
) -> Sequence[Kept | BadImage]:
    """The same without a catalogue in memory; `wanted` features of the images are computed."""
    found = of_each([it.images for it in offered], images.ensure_each(_images(offered), wanted))
    puts = [it.put(forms) for it, forms in zip(offered, found, strict=True) if not isinstance(forms, BadImage)]
    kept = iter(store.put(puts))
    return [it if isinstance(it, BadImage) else next(kept) for it in found]


def _images(offered: Sequence[Offered]) -> list[bytes]:
    return [image for it in offered for image in it.images]


def try_each(
    stored: Callable[[str], Stored | None], encode: Encode, offered: Sequence[Offered]
) -> Sequence[Kept | BadImage]:
    """What `put_each` would make of some postings, each by itself; their images are decoded, and nothing is stored."""
    found = of_each([it.images for it in offered], encode(_images(offered), Wanted(phash=True, stored_form=True)))
    outcomes = list[Kept | BadImage]()
    for it, forms in zip(offered, found, strict=True):
        if isinstance(forms, BadImage):
            outcomes.append(forms)
            continue
        posting = it.put(forms).posting
        try:
            before = stored(posting.posting_id)
        except RowDamaged:
            outcomes.append(Kept(0, "replaced"))
        else:
            same = before is not None and before.posting == posting
            outcomes.append(Kept(0, "created" if before is None else "unchanged" if same else "replaced"))
    return outcomes
