"""A replica that knows nothing of a store but what its feed tells."""

from dataclasses import dataclass, field

from pricematch.catalogue.feed import Change, Position
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.products import ProductEvent
from pricematch.catalogue.records import FeedbackChange, PostingChange
from pricematch.store.ports import ChangeFeed
from pricematch.store.sqlite.store import Store
from tests.support.stores import everything


@dataclass
class Replica:
    """What the changes that were read make of nothing.

    Attributes:
        position: how far they were read.
        postings, feedback, products, models: by id, by pair, the number by posting_id, the version by name.
        sizes: members of each product by its last event.
        seen: all revisions.
    """

    position: Position = field(default_factory=lambda: Position(0))
    postings: dict[str, Posting] = field(default_factory=dict)
    feedback: dict[tuple[str, str], tuple[object, ...]] = field(default_factory=dict)
    products: dict[str, int] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    seen: list[int] = field(default_factory=list)

    def read(self, feed: ChangeFeed, limit: int | None = None, pages: int | None = None) -> None:
        """Read so many pages; None: all."""
        while pages is None or pages > 0:
            page = feed.changes(self.position, limit)
            for change in page.changes:
                self.take(change)
            self.position = page.next
            if not page.more:
                return
            pages = None if pages is None else pages - 1

    def take(self, change: Change) -> None:
        """Make a change, which is newer than all before."""
        assert change.revision > max(self.seen, default=0), "out of order, or told twice"
        self.seen.append(change.revision)
        if isinstance(change, PostingChange):
            self.postings.pop(change.posting_id, None)
            if change.posting is not None:
                self.postings[change.posting_id] = change.posting
        elif isinstance(change, FeedbackChange):
            self.feedback.pop((change.first, change.second), None)
            if change.decision is not None:
                self.feedback[change.first, change.second] = (
                    *(change.decision, change.decided_at, change.by, change.note),
                )
        elif isinstance(change, ProductEvent):
            self._move(change)
        else:
            self.models[change.name] = change.version

    def _move(self, event: ProductEvent) -> None:
        """Let members leave and join; one that joins another product may have done so before it leaves this one."""
        assert (event.kind == "created") == (event.number not in self.sizes) or event.cause == "restore", "given twice"
        for posting_id in event.left:
            if self.products.get(posting_id) == event.number:
                del self.products[posting_id]
        self.products.update(dict.fromkeys(event.joined, event.number))
        self.sizes[event.number] = event.size

    def check(self, store: Store) -> None:
        """It has exactly what is stored."""
        decided = store.feedback.all_feedback()
        assert self.postings == everything(store)
        said = {(it.first, it.second): (it.decision, it.decided_at, it.by, it.note) for it in decided}
        assert self.feedback == said
        assert self.products == store.products.members()
        assert {number for number, size in self.sizes.items() if size} == set(self.products.values())
        assert all(size == list(self.products.values()).count(number) for number, size in self.sizes.items())
        assert self.models == store.models.active()
        assert self.position == Position(store.postings.version())
