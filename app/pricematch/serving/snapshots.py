"""Snapshots of a catalogue in memory, which follow what changes in its store."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock, RLock

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Changes
from pricematch.encoding.ingest import chunks
from pricematch.encoding.stored_images import StoredImages
from pricematch.errors import HistoryLost, StoreError
from pricematch.matching.matcher import Matcher
from pricematch.store.ports import PostingStore

AT_ONCE = 64
"""Postings that are taken in together."""
_MANY = 1000
"""Changes beyond which reading everything anew is quicker, and a quarter of the postings at least."""
STALE = 0.25
"""Part of the postings that may have come or gone before all are scored together again,"""
FEW = 256
"""but so many at least."""


@dataclass(frozen=True)
class Snapshot:
    """A catalogue at one version. Immutable.

    Attributes:
        version: the store's; it holds all changes up to that one.
        matcher: answers from it.
        anew: whether it may answer otherwise than what was served of the same version before.
        lacking: ids of postings whose image has not got all features yet: it is matched without those.
    """

    version: int
    matcher: Matcher
    anew: bool = False
    lacking: frozenset[str] = frozenset()

    @property
    def stale(self) -> bool:
        """Whether so much has changed that all should be scored, or at least packed, anew."""
        catalogue, trained = self.matcher.catalogue, self.matcher.probability
        changes = catalogue.span - len(catalogue) if trained is None else trained.changes
        return changes > max(FEW, STALE * len(catalogue))

    def young(self, few: int) -> bool:
        """Whether so few postings are there, and so many of them new, that their words are hardly known yet."""
        size, trained = len(self.matcher.catalogue), self.matcher.probability
        return trained is not None and size <= few and trained.changes > STALE * size

    @property
    def changed(self) -> bool:
        """Whether anything has come or gone since all were scored together."""
        return self.matcher.probability is not None and self.matcher.probability.changes > 0


class Snapshots:
    """Searches see one version of the catalogue, whatever is written meanwhile. Safe to use from several threads.

    Args:
        store: what is followed.
        images: keeps the features of its images.
        build: reads everything from the store, encodes what images lack, and scores all together.
        first: what to begin with; None: what `build` gives.
        few: so few postings are scored together at once when a quarter of them has changed.
    """

    def __init__(
        self,
        store: PostingStore,
        images: StoredImages,
        build: Callable[[], Snapshot],
        first: Snapshot | None = None,
        few: int = 0,
    ) -> None:
        self._store, self._images, self._build, self._few = store, images, build, few
        self._lock, self._encoding = Lock(), RLock()
        self._current = first or build()
        if self._current.anew:
            with suppress(StoreError):  # of a folder that cannot be written to there is one version
                store.renew()
            self.follow()

    @property
    def current(self) -> Snapshot:
        """The newest version there is in memory."""
        return self._current

    def follow(self) -> Snapshot:
        """Take in what has changed in the store; what was written before the call is in the answer.

        Nothing is encoded: what the image of a posting lacks is `lacking` until `complete`.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._lock:
            self._current = self._followed(self._current, self._build)
            return self._current

    def complete(self) -> Snapshot:
        """The same with the features that images lack, which are computed while others follow, by one thread at a time.

        Raises:
            StoreError: the store cannot be read, or features cannot be kept.
            ModelOutputError: see `StoredImages.ensure`.
        """
        with self._encoding:
            with self._lock:
                current, changes = self._current, self._changes(self._current)
            if changes is None or _many(current, changes):
                return self.rebuild()
            encoded = self._encoded(current, changes)
            with self._lock:
                alone = self._current is current and current.matcher.catalogue.newest
                followed = (
                    self._applied(current, changes, self._build, encoded)
                    if alone
                    else self._followed(self._current, self._build)
                )
                self._current = self._with_images(followed, encoded)
                return self._current

    def rebuild(self, build: Callable[[], Snapshot] | None = None) -> Snapshot:
        """Read everything from the store anew, while the old version goes on serving, and then take its place.

        What is scored anew may answer otherwise, so it is a new version, though nothing is changed.

        Args:
            build: to be used from now on; None for the one there is.

        Raises:
            PricematchError: as `build`; the old version goes on.
        """
        with self._encoding:
            build = build or self._build
            built = self._caught_up(build(), build)  # most of what came meanwhile, without the lock
            with self._lock:
                self._store.renew()
                self._current, self._build = self._followed(built, build), build
                return self._current

    def _caught_up(self, built: Snapshot, build: Callable[[], Snapshot]) -> Snapshot:
        changes = self._changes(built)
        if changes is None or _many(built, changes):
            return build()
        return self._applied(built, changes, build, self._encoded(built, changes))

    def _followed(self, snapshot: Snapshot, build: Callable[[], Snapshot]) -> Snapshot:
        changes = self._changes(snapshot)
        return build() if changes is None else self._applied(snapshot, changes, build)

    def _changes(self, snapshot: Snapshot) -> Changes | None:
        """The changes since a snapshot; None where everything must be read anew."""
        if not snapshot.matcher.catalogue.newest:  # taking in some changes broke off after the first of them
            return None
        try:
            return self._store.changes(snapshot.version)
        except HistoryLost:
            return None

    def _encoded(self, snapshot: Snapshot, changes: Changes) -> frozenset[bytes]:
        """The images of what has changed and of what is lacking, after it was tried to give them their features."""
        postings = [change.posting for change in changes.postings if change.posting is not None]
        digests = [*filter(None, map(_digest, [*postings, *_lacking(snapshot)]))]
        self._images.ensure(digests, snapshot.matcher.wanted_of_stored)
        return frozenset(digests)

    def _applied(
        self,
        snapshot: Snapshot,
        changes: Changes,
        build: Callable[[], Snapshot],
        encoded: frozenset[bytes] = frozenset(),
    ) -> Snapshot:
        matcher = snapshot.matcher
        if changes.feedback:
            matcher = matcher.with_feedback(matcher.feedback.changed(changes.feedback))
        lacking = snapshot.lacking.difference(change.posting_id for change in changes.postings)
        for piece in chunks(changes.postings, AT_ONCE):
            put = [change.posting for change in piece if change.posting is not None]
            removed = [change.posting_id for change in piece if change.posting is None]
            matcher, lack = self._put(matcher, put, removed)
            lacking |= {posting.posting_id for posting in lack if _digest(posting) not in encoded}
        found = Snapshot(changes.version, matcher, lacking=lacking)
        return build() if not lacking and found.young(self._few) else found

    def _with_images(self, snapshot: Snapshot, encoded: frozenset[bytes]) -> Snapshot:
        """What a snapshot lacks put once more, as far as its image was encoded; that is a new version."""
        ready = [posting for posting in _lacking(snapshot) if _digest(posting) in encoded]
        if not ready:
            return snapshot
        self._store.renew()
        matcher = snapshot.matcher
        for piece in chunks(ready, AT_ONCE):
            matcher, _ = self._put(matcher, piece, [])
        lacking = snapshot.lacking.difference(posting.posting_id for posting in ready)
        return self._followed(replace(snapshot, matcher=matcher, lacking=lacking), self._build)

    def _put(
        self, matcher: Matcher, put: Sequence[Posting], removed: Sequence[str]
    ) -> tuple[Matcher, Sequence[Posting]]:
        """A changed matcher, with the features that are kept, and those of `put` whose image lacks some."""
        wanted, digests = matcher.wanted_of_stored, [_digest(posting) for posting in put]
        lacking = self._images.lacking(list(dict.fromkeys(filter(None, digests))), wanted)
        lacks = {digest: lack for lack, those in lacking.items() for digest in those}
        groups = {Wanted(): [digest for digest in digests if digest not in lacks], **lacking}
        kept: dict[bytes | None, ImageFeatures | None] = {}
        for lack, those in groups.items():
            there = Wanted(wanted.encoders - lack.encoders, phash=wanted.phash and not lack.phash)
            kept |= zip(those, self._images.features(those, there), strict=True)
        matcher = matcher.changed(put, removed, [kept[digest] for digest in digests])
        return matcher, [posting for posting, digest in zip(put, digests, strict=True) if digest in lacks]


def _many(snapshot: Snapshot, changes: Changes) -> bool:
    """Whether reading everything anew is quicker than taking changes in."""
    return len(changes.postings) > max(_MANY, STALE * len(snapshot.matcher.catalogue))


def _lacking(snapshot: Snapshot) -> list[Posting]:
    return [snapshot.matcher.catalogue.posting(posting_id) for posting_id in sorted(snapshot.lacking)]


def _digest(posting: Posting) -> bytes | None:
    return None if posting.image is None else bytes.fromhex(posting.image)
