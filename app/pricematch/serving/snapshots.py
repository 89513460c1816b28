"""Snapshots of a catalogue in memory, which follow its store."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from pricematch.catalogue.records import Changes
from pricematch.encoding.ingest import chunks
from pricematch.encoding.stored_images import StoredImages, digests_of
from pricematch.errors import HistoryLost
from pricematch.matching.matcher import Matcher
from pricematch.store.ports import PostingStore

_AT_ONCE = 64
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
    """

    version: int
    matcher: Matcher

    @property
    def stale(self) -> bool:
        """Whether so much has changed that all should be scored, or at least packed, anew."""
        catalogue, trained = self.matcher.catalogue, self.matcher.probability
        changes = catalogue.span - len(catalogue) if trained is None else trained.index.changes
        return changes > max(FEW, STALE * len(catalogue))

    def young(self, few: int) -> bool:
        """Whether so few postings are there, and so many of them new, that their words are hardly known yet."""
        size, trained = len(self.matcher.catalogue), self.matcher.probability
        return trained is not None and size <= few and trained.index.changes > STALE * size

    @property
    def changed(self) -> bool:
        """Whether anything has come or gone since all were scored together."""
        return self.matcher.probability is not None and self.matcher.probability.index.changes > 0


class Snapshots:
    """Searches see one version of the catalogue, whatever is written meanwhile. Safe to use from several threads.

    Args:
        store: what is followed.
        images: keeps the features of its images.
        build: reads everything from the store, and scores it together.
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
        self._lock = Lock()
        self._current = first or build()

    @property
    def current(self) -> Snapshot:
        """The newest version there is in memory."""
        return self._current

    def follow(self) -> Snapshot:
        """Take in what has changed in the store; what was written before the call is in the answer.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._lock:
            self._current = self._caught_up(self._current, self._build)
            return self._current

    def rebuild(self, build: Callable[[], Snapshot] | None = None) -> Snapshot:
        """Read everything from the store anew, while the old version goes on serving, and then take its place.

        Args:
            build: to be used from now on; None for the one there is.

        Raises:
            PricematchError: as `build`; the old version goes on.
        """
        build = build or self._build
        built = self._caught_up(build(), build)  # most of what came meanwhile, without holding up anybody
        with self._lock:
            self._current, self._build = self._caught_up(built, build), build
            return self._current

    def _caught_up(self, snapshot: Snapshot, build: Callable[[], Snapshot]) -> Snapshot:
        if not snapshot.matcher.catalogue.newest:  # taking in some changes broke off after the first of them
            return build()
        try:
            changes = self._store.changes(snapshot.version)
        except HistoryLost:
            return build()
        if len(changes.postings) > max(_MANY, STALE * len(snapshot.matcher.catalogue)):
            return build()
        found = self._applied(snapshot, changes)
        return build() if found.young(self._few) else found

    def _applied(self, snapshot: Snapshot, changes: Changes) -> Snapshot:
        matcher = snapshot.matcher
        if changes.feedback:
            matcher = matcher.with_feedback(matcher.feedback.changed(changes.feedback))
        for piece in chunks(changes.postings, _AT_ONCE):
            put = [change.posting for change in piece if change.posting is not None]
            removed = [change.posting_id for change in piece if change.posting is None]
            digests = digests_of(posting.image for posting in put)
            features = self._images.features(digests, matcher.wanted_of_stored)
            matcher = matcher.changed(put, removed, features)
        return Snapshot(changes.version, matcher)
