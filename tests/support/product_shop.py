"""A catalogue of hashes that follows a store, on disk or in memory, and whose products are kept."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pricematch.catalogue.evidence import EvidenceFields
from pricematch.catalogue.feedback import NO_FEEDBACK
from pricematch.catalogue.fields import Field
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.products import ProductEvent
from pricematch.catalogue.records import FeedbackChange, Put
from pricematch.encoding.stored_images import StoredImages
from pricematch.matching.probability import ProbabilitySearch
from pricematch.serving.intake import Intake
from pricematch.serving.products import ProductKeeper
from pricematch.serving.snapshot import Snapshot
from pricematch.serving.snapshots import Snapshots
from pricematch.store.ports import ChangeFeed, FeedbackStore, PostingStore, ProductStore
from pricematch.store.sqlite.store import open_store
from tests.support.encoding import TinyEncoding
from tests.support.matchers import matcher_over, scored_search
from tests.support.memory_products import MemoryProducts
from tests.support.memory_store import MemoryStore
from tests.support.products import check_products

IDS = [f"p{number}" for number in range(12)]


def hashed(posting_id: str, bits: int, title: str = "") -> Posting:
    """A posting whose hash has so many of its 64 bits set, from the lowest on."""
    return Posting(posting_id, None, title, f"{(1 << bits) - 1:016x}")


class ProductShop:
    """A served catalogue whose probability is the similarity of hashes.

    Attributes:
        label, signal: of the matcher that the next rebuild uses, and what it compares.
        compares, declared: evidence fields that it takes, and fields that are declared by then.
        built: how often all was read.
        products: keeps its products.
        feed: tells its changes.
    """

    def __init__(
        self,
        postings: PostingStore,
        feedback: FeedbackStore,
        products: ProductStore,
        feed: ChangeFeed,
        images: StoredImages,
        few: int,
    ) -> None:
        self.label, self.built = "matcher/1", 0
        self.compares: tuple[Field, ...] = ()
        self.declared: Sequence[Field] = ()
        self.signal = "hash"
        self.products, self._postings, self._feedback, self.feed = products, postings, feedback, feed
        self.snapshots = Snapshots(postings, feed, images, self.build, None, few, ProductKeeper(products))
        self.intake = Intake(postings, feedback, images, self.snapshots)

    def build(self) -> Snapshot:
        """Everything anew."""
        self.built += 1
        version, postings = self._postings.version(), [it.posting for it in self._postings.page("", 10_000)]
        said = [FeedbackChange(it.first, it.second, it.revision, it.decision) for it in self._feedback.all_feedback()]
        known = NO_FEEDBACK.changed(said)
        evidence = EvidenceFields.declared(self.compares, self.declared)
        search = replace(scored_search(postings, [self.signal], evidence=evidence), label=self.label, feedback=known)
        matcher = replace(matcher_over(search.catalogue, {}, {}, search), feedback=known)
        return Snapshot(version, matcher.with_fields(self.declared), anew=True)

    def put(self, posting_id: str, bits: int, title: str = "") -> Snapshot:
        """Put a posting by its hash, see `hashed`."""
        return self.intake.put(Put(hashed(posting_id, bits, title)))[1]

    def put_elsewhere(self, *postings: Posting) -> None:
        """Store postings as another process does."""
        self._postings.put([Put(posting) for posting in postings])

    @property
    def search(self) -> ProbabilitySearch:
        """What serves."""
        found = self.snapshots.current.matcher.probability
        assert found is not None
        return found

    def groups(self) -> Mapping[str, str]:
        """Product id by posting_id, as whoever asks gets it; without those that are not known."""
        snapshot = self.snapshots.current
        found = {it: snapshot.product_of(it) for it in snapshot.matcher.catalogue.posting_ids}
        return {posting_id: product for posting_id, product in found.items() if product is not None}

    def events(self) -> list[ProductEvent]:
        """All of them, the oldest first."""
        numbers = range(1, self.products.state().last_number + 1)
        found = [event for number in numbers for event in self.products.events_of(number, None, 10**6)]
        return sorted(found, key=lambda event: event.revision)

    def told(self, since: int = 0) -> list[tuple[str, str, str]]:
        """Product, kind and cause of each event behind the first `since`."""
        return [(f"p{it.number}", it.kind, it.cause) for it in self.events()[since:]]

    def check(self) -> None:
        """What is answered, kept and clustered anew is one partition, and the events make it of nothing."""
        check_products(self.products)
        snapshot, numbers = self.snapshots.current, self.products.members()
        assert self.groups() == {posting_id: f"p{number}" for posting_id, number in numbers.items()}
        assert sorted(numbers) == sorted(snapshot.matcher.catalogue.posting_ids)
        assert snapshot.products is not None
        assert snapshot.products.state == self.products.state()
        partition, search = snapshot.products.partition, self.search
        found = search.clusters.all(partition.threshold)
        ids = search.catalogue.ids_of(search.catalogue.by_id)
        label = dict(zip(ids, found.assignment.labels.tolist(), strict=True))
        clusters = {frozenset(it for it in ids if it == own or label[it] == label[own] >= 0) for own in ids}
        parts = {frozenset(it for it in numbers if numbers[it] == number) for number in numbers.values()}
        assert parts == clusters
        for event in self.events()[-1:]:
            assert event.revision <= snapshot.version
        assert self.products.doubts() == {
            number: doubt
            for number, doubt in zip(partition.numbers.tolist(), partition.doubts.tolist(), strict=True)
            if doubt
        }


def _images(store: MemoryStore) -> StoredImages:
    return StoredImages(store, store, TinyEncoding().encode, lambda *_: None)


def in_memory(few: int = 0) -> ProductShop:
    """A catalogue over a store in memory."""
    store = MemoryStore()
    return ProductShop(store, store, MemoryProducts(store), store, _images(store), few)


@contextmanager
def on_disk(data: Path, few: int = 0) -> Iterator[ProductShop]:
    """A catalogue over a store in a folder, until the end of the block."""
    store = open_store(data, serve=True)
    try:
        images = StoredImages(store.images, store.computed, TinyEncoding().encode, lambda *_: None)
        yield ProductShop(store.postings, store.feedback, store.products, store.feed, images, few)
    finally:
        store.close()
