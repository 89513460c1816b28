"""The snapshots of a catalogue in memory, one after the other, which follow what changes in its store."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Lock, RLock

from pricematch.catalogue.feed import LASTING, Position
from pricematch.catalogue.fields import Field
from pricematch.catalogue.records import Changes, FeedbackChange, PostingChange
from pricematch.encoding.stored_images import StoredImages, digests_of
from pricematch.errors import HistoryLost, StoreError, VersionUnknown
from pricematch.matching.matcher import Matcher
from pricematch.serving.changes import Encoded, metadata_of, pieces, searched_of
from pricematch.serving.products import ProductKeeper, Products, provisional
from pricematch.serving.snapshot import STALE, Snapshot
from pricematch.store.ports import ChangeFeed, PostingStore

_PIECE = 16
"""Postings of others that are taken in together, since somebody may wait meanwhile."""
_ENCODED = 256
"""Of which images are encoded together."""
_MANY = 1000
"""Changes beyond which reading everything anew is quicker, and a quarter of the postings at least."""


class Snapshots:
    """Searches see one version of the catalogue, whatever is written meanwhile. Safe to use from several threads.

    Args:
        store: of the postings.
        feed: of its changes, which are followed.
        images: keeps the features of its images.
        build: reads everything from the store, encodes what images lack, and scores all together.
        first: what to begin with; None: what `build` gives.
        few: so few postings are scored together at once when a quarter of them has changed.
        keeper: keeps the products of what serves; None: there are none.
    """

    def __init__(
        self,
        store: PostingStore,
        feed: ChangeFeed,
        images: StoredImages,
        build: Callable[[], Snapshot],
        first: Snapshot | None = None,
        few: int = 0,
        keeper: ProductKeeper | None = None,
    ) -> None:
        self._store, self._feed, self._images, self._build = store, feed, images, build
        self._few, self._keeper = few, keeper
        self._lock, self._next, self._encoding, self._declaring = Lock(), Lock(), RLock(), Lock()
        self._watchers: tuple[Callable[[], None], ...] = ()
        self._current = self._partitioned(first or build())
        if self._current.anew:
            with suppress(StoreError):  # of a folder that cannot be written to there is one version
                self._current = replace(self._current, version=store.renew(), has=self._current.held)
                self.follow(())
        self._serve(self._adopted(self._current))

    @property
    def current(self) -> Snapshot:
        """The newest version there is in memory."""
        return self._current

    def settled(self) -> Snapshot:
        """The newest version, once who makes one is done: it has all that was kept before the call."""
        with self._turn():
            return self._current

    def follow(self, written: Collection[str]) -> Snapshot:
        """Take in what the caller has written to the store: feedback, and these postings; the answer has it.

        What others have written is taken in where it is little and no image lacks features. The rest is for `complete`,
        so that nobody who writes waits while it is encoded and scored.

        Raises:
            StoreError: the store cannot be read, or a version cannot be made.
        """
        with self._turn():
            return self._serve(self._adopted(self._followed(self._current, self._build, written)))

    def declare(self, declared: Callable[[], Sequence[Field]]) -> Snapshot:
        """Have columns of the fields that are declared in the store, and no others: no answer changes by that.

        They are built while others follow. Evidence is compared once all is read anew.
        """
        with self._declaring:
            fields = declared()  # nobody's here are older than what somebody else has declared
            while list((before := self._current.matcher).fields.declared.values()) != list(fields):
                built = before.with_fields(fields).fields
                with self._turn():
                    matcher = self._current.matcher
                    if (found := matcher.fields.declaring_as(built, before.catalogue, matcher.catalogue)) is not None:
                        self._current = replace(self._current, matcher=replace(matcher, fields=found))
            return self._current

    def complete(self) -> Snapshot:
        """Take in everything that was written before the call, and encode its images, while others follow.

        Raises:
            StoreError: the store cannot be read, or features cannot be kept.
            ModelOutputError: see `StoredImages.ensure`.
        """
        with self._encoding:  # so that nothing is encoded twice
            version = self._store.version()
            while self._current.held.version < version:
                with self._turn():
                    current, changes = self._current, self._changes(self._current)
                if changes is None or _many(current, changes):
                    return self.rebuild()
                first = next(pieces(current.matcher, [(it, ()) for it in changes.postings], _ENCODED), [])
                self._take(changes, self._encoded(current, [it for it, _ in first]))
            if self._current.young(self._few):
                return self.rebuild()
            with self._turn():
                return self._serve(self._adopted(self._current))  # those that could not be kept before

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
            built = self._caught_up(self._partitioned(build()), build)
            with self._turn():
                self._store.renew()
                served, self._build = self._adopted(self._followed(built, build)), build
                return self._serve(served)

    def tell(self, watcher: Callable[[], None]) -> None:
        """Call a watcher whenever another version has begun to serve, in whichever thread made it."""
        self._watchers = (*self._watchers, watcher)

    def _serve(self, snapshot: Snapshot) -> Snapshot:
        """Let a snapshot serve."""
        changed, self._current = snapshot is not self._current, snapshot
        for watcher in self._watchers if changed else ():
            watcher()
        return snapshot

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """The lock; who waits for it comes before whoever gives it back and wants it again."""
        with self._next:
            self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def _caught_up(self, built: Snapshot, build: Callable[[], Snapshot]) -> Snapshot:
        """A snapshot that nobody has yet, with what came meanwhile but for a little that lacks nothing."""
        while (changes := self._changes(built)) is None or not self._is_little(built, changes, ()):
            if changes is None or _many(built, changes):
                built = self._partitioned(build())
            else:
                built = self._changed(built, changes, self._encoded(built, changes.postings), changes.version)
        return built

    def _take(self, changes: Changes, encoded: Sequence[Encoded]) -> None:
        """Take in the first of some changes, whose images are encoded, in pieces: others follow in between."""
        taken = 0
        for piece in [*pieces(self._current.matcher, encoded, _PIECE)] or [[]]:
            taken += len(piece)
            version = piece[-1][0].revision if taken < len(changes.postings) else changes.version
            with self._turn():
                if self._current.held.version < version:
                    self._serve(self._changed(self._current, changes, piece, version))

    def _followed(
        self, snapshot: Snapshot, build: Callable[[], Snapshot], written: Collection[str] | None = None
    ) -> Snapshot:
        """A snapshot with what was written, see `follow`; None: with all changes."""
        if (changes := self._changes(snapshot)) is None:
            return self._partitioned(build())
        chosen, version = changes.postings, changes.version
        if written is not None and not self._is_little(snapshot, changes, written):
            chosen, version = [it for it in chosen if it.posting_id in written], snapshot.held.version
        found = self._changed(snapshot, changes, self._encoded(snapshot, chosen), version)
        return self._partitioned(build()) if version == changes.version and found.young(self._few) else found

    def _changes(self, snapshot: Snapshot) -> Changes | None:
        """The changes since a snapshot; None where everything must be read anew."""
        if not snapshot.matcher.catalogue.newest:  # taking in some changes broke off after the first of them
            return None
        try:
            page = self._feed.changes(Position(snapshot.held.version), kinds=LASTING)
        except (HistoryLost, VersionUnknown):
            return None
        postings = [it for it in page.changes if isinstance(it, PostingChange)]
        feedback = [it for it in page.changes if isinstance(it, FeedbackChange)]
        return Changes(page.next.revision, postings, feedback)

    def _is_little(self, snapshot: Snapshot, changes: Changes, written: Collection[str]) -> bool:
        """Whether changes beside what was written and metadata are few, and no image of them lacks features."""
        others = searched_of(snapshot.matcher, [it for it in changes.postings if it.posting_id not in written])
        digests = list(dict.fromkeys(filter(None, digests_of(name for it in others for name in _images(it)))))
        return len(others) <= _PIECE and not self._images.lacking(digests, snapshot.matcher.wanted_of_stored)

    def _encoded(self, snapshot: Snapshot, changes: Sequence[PostingChange]) -> list[Encoded]:
        """Changes with the features of their images; those that lack any are encoded. Of metadata none are needed."""
        searched = searched_of(snapshot.matcher, changes)
        digests = digests_of(name for it in searched for name in _images(it))
        features = iter(self._images.features(digests, snapshot.matcher.wanted_of_stored))
        images = {it.posting_id: [next(features) for _ in _images(it)] for it in searched}
        return [(it, images.get(it.posting_id, ())) for it in changes]

    def _changed(self, snapshot: Snapshot, changes: Changes, encoded: Sequence[Encoded], version: int) -> Snapshot:
        """A snapshot with feedback and some of the postings of changes, and so with all up to a version of the store.

        What it has in a later state stays. Metadata alone changes neither what is searched nor products.
        """
        held = snapshot.held
        new = [(it, image) for it, image in encoded if it.revision > held.ahead.get(it.posting_id, 0)]
        feedback = [it for it in changes.feedback if it.revision > held.feedback and _is_news(snapshot.matcher, it)]
        now = held.and_more([it for it, _ in new], version, changes.version)
        if not new and not feedback:
            return replace(snapshot, version=max(snapshot.version, version), has=now)
        number = version if version > snapshot.version else self._store.renew()
        matcher = snapshot.matcher
        if feedback:
            matcher = matcher.with_feedback(matcher.feedback.changed(feedback))
        if metadata := metadata_of(snapshot.matcher, [it for it, _ in new]):
            matcher = matcher.with_metadata(metadata)
        if searched := searched_of(snapshot.matcher, [it for it, _ in new]):
            images = {it.posting_id: image for it, image in new}
            put = [it.posting for it in searched if it.posting is not None]
            removed = [it.posting_id for it in searched if it.posting is None]
            matcher = matcher.changed(put, removed, [images[posting.posting_id] for posting in put])
        products = snapshot.products
        if searched or feedback:
            products = self._products(snapshot, matcher, searched)
        if products is not None:
            number, now = max(number, products.version), now.and_events(products.before, products.version)
        return Snapshot(number, matcher, has=now, products=products)

    def _partitioned(self, snapshot: Snapshot) -> Snapshot:
        """A snapshot with the products of its catalogue, where they are to be kept."""
        search = snapshot.matcher.probability
        return snapshot if self._keeper is None or search is None else replace(snapshot, products=provisional(search))

    def _adopted(self, snapshot: Snapshot) -> Snapshot:
        """A snapshot that is to serve, whose products have numbers that last."""
        products, search = snapshot.products, snapshot.matcher.probability
        if self._keeper is None or products is None or products.state is not None or search is None:
            return snapshot
        kept = self._keeper.adopted(products, search)
        has = snapshot.held.and_events(kept.before, kept.version)
        return replace(snapshot, version=max(snapshot.version, kept.version), has=has, products=kept)

    def _products(self, snapshot: Snapshot, matcher: Matcher, changes: Sequence[PostingChange]) -> Products | None:
        """The products of a snapshot after changes, by the matcher that has them."""
        before, now = snapshot.matcher.probability, matcher.probability
        if self._keeper is None or snapshot.products is None or before is None or now is None:
            return None
        return self._keeper.followed(snapshot.products, before, now, changes)


def _many(snapshot: Snapshot, changes: Changes) -> bool:
    """Whether reading everything anew is quicker than taking changes in."""
    matcher = snapshot.matcher
    most = max(_MANY, STALE * len(matcher.catalogue))
    return len(changes.postings) > most and len(searched_of(matcher, changes.postings)) > most


def _is_news(matcher: Matcher, change: FeedbackChange) -> bool:
    """Whether feedback decides otherwise than a matcher knows; another author or note does not."""
    return matcher.feedback.of(change.first).get(change.second) != change.decision


def _images(change: PostingChange) -> Sequence[str]:
    """The names of the images of a posting that is there."""
    return () if change.posting is None else change.posting.images
