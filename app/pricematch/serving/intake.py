"""Changes to a catalogue: stored first, then taken into memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pricematch.catalogue.image_features import Wanted
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import ANYHOW, Condition, Decision, Kept, PairFeedback, Put
from pricematch.encoding.stored_images import StoredImages
from pricematch.errors import ImageError
from pricematch.serving.live_catalogue import LiveCatalogue
from pricematch.store.ports import FeedbackStore, PostingStore


@dataclass(frozen=True)
class Offered:
    """A posting to be stored.

    Attributes:
        posting: its `image` is None, or the digest of an image that is stored.
        image: the bytes of its image; None where it brings none.
        condition: what must be true of the stored one.
    """

    posting: Posting
    image: bytes | None = None
    condition: Condition = ANYHOW


@dataclass(frozen=True)
class Intake:
    """Stores postings and removes them; the next query sees it. Safe to use from several threads.

    Attributes:
        store: keeps postings.
        verdicts: keeps feedback on pairs of them.
        images: keeps the features of their images.
        live: the catalogue in memory.
    """

    store: PostingStore
    verdicts: FeedbackStore
    images: StoredImages
    live: LiveCatalogue

    def put(self, put: Put) -> tuple[Kept, int]:
        """Store a posting; the features of its image are kept already, see `StoredImages.keep`.

        Returns:
            What became of it, and the catalogue's version in which it is found.

        Raises:
            ConditionFailed: the stored one is not as the condition says.
            StoreError: it cannot be kept.
        """
        [kept] = self.store.put([put])
        return kept, self.live.follow().version

    def put_each(self, offered: Sequence[Offered]) -> Sequence[Kept | ImageError]:
        """Store those of some postings whose image can be used; images are encoded together.

        Returns:
            What became of each, or why its image cannot be used.

        Raises:
            ImageUnavailable: one was to show an image that is not stored; nothing is stored.
            ConditionFailed, StoreError, ModelOutputError: nothing is stored.
        """
        kept = put_each(self.store, self.images, self.live.current.matcher.wanted_of_stored, offered)
        self.live.follow()
        return kept

    def remove(self, posting_id: str, condition: Condition = ANYHOW) -> tuple[bool, int]:
        """Remove a posting: whether it was there, and the catalogue's version in which it is not.

        Raises:
            ConditionFailed: it is not as the condition says.
            StoreError: the store cannot be written to.
        """
        there = self.store.delete(posting_id, condition)
        return there, self.live.follow().version

    def decide(self, left: str, right: str, decision: Decision) -> tuple[PairFeedback, bool]:
        """Keep feedback on a pair; whether it is new. Raises StoreError, ValueError for a posting and itself."""
        verdict, new = self.verdicts.decide(left, right, decision)
        self.live.follow()
        return verdict, new

    def withdraw(self, left: str, right: str) -> tuple[bool, int]:
        """Take feedback back: whether it was there, and the catalogue's version without it; raises StoreError."""
        there = self.verdicts.withdraw(left, right)
        return there, self.live.follow().version


def put_each(
    store: PostingStore, images: StoredImages, wanted: Wanted, offered: Sequence[Offered]
) -> Sequence[Kept | ImageError]:
    """The same without a catalogue in memory; `wanted` features of the images are computed."""
    digests = iter(images.ensure_each([it.image for it in offered if it.image is not None], wanted))
    found = [None if it.image is None else next(digests) for it in offered]
    puts = []
    for it, digest in zip(offered, found, strict=True):
        if digest is None:
            puts.append(Put(it.posting, None, it.condition))
        elif not isinstance(digest, ImageError):
            puts.append(Put(replace(it.posting, image=digest.hex()), it.image, it.condition))
    kept = iter(store.put(puts))
    return [digest if isinstance(digest, ImageError) else next(kept) for digest in found]
