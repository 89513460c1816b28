"""Changes to a catalogue: kept for good first, then in memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import ANYHOW, Condition, Decision, Kept, Put, Verdict
from pricematch.encoding.picture_encoder import PictureEncoder
from pricematch.errors import ImageError
from pricematch.serving.live_catalogue import LiveCatalogue
from pricematch.serving.stored_pictures import StoredPictures
from pricematch.store.ports import PostingStore, VerdictStore


@dataclass(frozen=True)
class Offered:
    """A posting that somebody brings.

    Attributes:
        posting: its `image` is None, or the digest of a picture that is stored.
        image: the bytes of its picture; None where it brings none.
        condition: what must be true of the stored one.
    """

    posting: Posting
    image: bytes | None = None
    condition: Condition = ANYHOW


@dataclass(frozen=True)
class Intake:
    """Stores postings and removes them. Whoever asks next sees it. Safe to use from several threads.

    Attributes:
        store: keeps them.
        verdicts: keeps what people say of them.
        pictures: what their pictures are compared by.
        live: the catalogue in memory.
    """

    store: PostingStore
    verdicts: VerdictStore
    pictures: StoredPictures
    live: LiveCatalogue

    def put(self, offered: Sequence[Offered]) -> tuple[Sequence[tuple[Posting, Kept]], int]:
        """Store postings, all of them or none.

        Returns:
            Each as it is stored and what became of it, and the catalogue's version in which they are found.

        Raises:
            ImageError: a picture cannot be used.
            ConditionFailed: one is not as its condition says.
            StoreError: they cannot be kept.
        """
        puts = [self._ready(it) for it in offered]
        kept = self.store.put(puts)
        return list(zip((it.posting for it in puts), kept, strict=True)), self.live.follow().version

    def put_each(self, offered: Sequence[Offered]) -> Sequence[Kept | ImageError]:
        """Store those of some postings whose picture can be used; pictures are encoded together.

        Returns:
            What became of each, or why its picture cannot be used.

        Raises:
            ImageUnavailable: one was to show a picture that is not stored; nothing is stored.
            ConditionFailed, StoreError, ModelOutputError: nothing is stored.
        """
        kept = put_each(self.store, self.pictures, self.live.current.matcher.picture_encoders, offered)
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

    def decide(self, one: str, other: str, decision: Decision) -> tuple[Verdict, bool]:
        """Keep a verdict; whether it is new. Raises StoreError, ValueError for a posting and itself."""
        verdict, new = self.verdicts.decide(one, other, decision)
        self.live.follow()
        return verdict, new

    def withdraw(self, one: str, other: str) -> tuple[bool, int]:
        """Take a verdict back: whether it was there, and the catalogue's version without it; raises StoreError."""
        there = self.verdicts.withdraw(one, other)
        return there, self.live.follow().version

    def _ready(self, offered: Offered) -> Put:
        if offered.image is None:
            return Put(offered.posting, None, offered.condition)
        digest = self.pictures.keep(offered.image, self.live.current.matcher.picture_encoders)
        return Put(replace(offered.posting, image=digest.hex()), offered.image, offered.condition)


def put_each(
    store: PostingStore, pictures: StoredPictures, encoders: Iterable[PictureEncoder], offered: Sequence[Offered]
) -> Sequence[Kept | ImageError]:
    """The same without a catalogue in memory; pictures are encoded by `encoders`."""
    digests = iter(pictures.keep_each([it.image for it in offered if it.image is not None], encoders))
    found = [None if it.image is None else next(digests) for it in offered]
    puts = []
    for it, digest in zip(offered, found, strict=True):
        if digest is None:
            puts.append(Put(it.posting, None, it.condition))
        elif not isinstance(digest, ImageError):
            puts.append(Put(replace(it.posting, image=digest.hex()), it.image, it.condition))
    kept = iter(store.put(puts))
    return [digest if isinstance(digest, ImageError) else next(kept) for digest in found]
