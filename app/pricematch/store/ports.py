"""Ports: the protocols of the stores of a catalogue; `service_ports` has those of what a service keeps besides."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.catalogue.feed import EVERY_KIND, ChangeKind, FeedPage, Position
from pricematch.catalogue.feedback_batches import (
    FeedbackBatch,
    FeedbackFilter,
    FeedbackPlace,
    FeedbackSort,
    PairDecision,
)
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.products import CausedChange, Place, Product, ProductEvent, ProductSort, ProductState
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
    Removal,
    Removed,
    Stored,
)
from pricematch.errors import PricematchError

ChangeOutcome: TypeAlias = Kept | Removed | PricematchError
"""What became of one of several changes, or why it was not made."""


class PostingStore(Protocol):
    """Keeps the postings of a catalogue, and their images, for good.

    Several processes may read and write at the same time, and not all of it need fit in memory. What a call has
    returned from is kept whatever happens to the process. Safe to call from several threads.

    Every method raises StoreUnavailable where the store cannot be reached, read or written, and StoreFull where there
    is no room; nothing is changed then.
    """

    def version(self) -> int:
        """The catalogue's version: grows with every change of a posting or decision, 0 before the first."""
        ...

    def renew(self) -> int:
        """Make a new version in which nothing is changed, for what is computed of it otherwise; that version."""
        ...

    def count(self) -> int:
        """How many postings are stored."""
        ...

    def get(self, posting_id: str) -> Stored | None:
        """The posting with an id; None where there is none."""
        ...

    def page(self, after: str, limit: int) -> Sequence[Stored]:
        """The first `limit` postings whose ids are greater than `after`, in ascending order of their code points."""
        ...

    def put(self, puts: Sequence[Put]) -> Sequence[Kept]:
        """Store postings, all of them or none; one that is stored as it is put stays unchanged.

        Raises:
            ConditionFailed: one of them is not as its condition says; nothing is changed.
            ImageUnavailable: an image was not given and is not stored.
        """
        ...

    def patch(self, patch: Patch) -> tuple[Posting, Kept]:
        """Change some of a stored posting; the posting afterwards, and what became of it.

        Raises:
            PostingNotFound: there is none.
            ConditionFailed: it is not as the condition says; nothing is changed.
            ImageUnavailable: it was to show an image that is neither given nor stored.
            PricematchError: what the change raises; nothing is changed.
        """
        ...

    def change_each(self, changes: Sequence[Put | Patch | Removal]) -> Sequence[ChangeOutcome]:
        """Make changes one after the other, those that can be made; together they are one transaction.

        Returns:
            The outcome of each, or why it was not made: a condition that does not hold, what a patch raises, a posting
            that is not there or is damaged, an image that is neither given nor stored.
        """
        ...

    def delete(self, posting_id: str, condition: Condition = ANYHOW) -> bool:
        """Remove a posting, and its image where no other posting shows it; whether it was there.

        Raises:
            ConditionFailed: it is not as the condition says; nothing is changed.
        """
        ...


class ComputedStore(Protocol):
    """Keeps what was computed from images, by their digests (32 bytes); raises as `PostingStore` does.

    A key names all that the result depends on besides: the model, its weights, arithmetic, the decoder.
    """

    def embeddings(self, key: str, digests: Sequence[bytes]) -> Mapping[bytes, NDArray[np.float32]]:
        """The embeddings [d] that are kept of some images."""
        ...

    def keep_embeddings(self, key: str, digests: Sequence[bytes], embeddings: Embeddings) -> None:
        """Keep embeddings [n, d] of n images."""
        ...

    def hashes(self, key: str, digests: Sequence[bytes]) -> Mapping[bytes, str]:
        """The perceptual hashes that are kept of some images, 16 hexadecimal digits each."""
        ...

    def keep_hashes(self, key: str, digests: Sequence[bytes], hashes: Sequence[str]) -> None:
        """Keep the hashes of some images."""
        ...


class FeedbackStore(Protocol):
    """Keeps people's decisions on pairs of postings; raises as `PostingStore` does."""

    def feedback_on(self, one: str, other: str) -> PairFeedback | None:
        """The decision on a pair, in whichever order it is given."""
        ...

    def all_feedback(self) -> Sequence[PairFeedback]:
        """All of them, by their ids."""
        ...

    def feedback_page(
        self, chosen: FeedbackFilter, sort: FeedbackSort, after: FeedbackPlace | None, offset: int, limit: int
    ) -> tuple[int, Sequence[PairFeedback]]:
        """How many are chosen; and `limit` of them in an order, behind a place in it and `offset` more."""
        ...

    def decide(self, one: str, other: str, decision: Decision, remark: Remark = NO_REMARK) -> tuple[PairFeedback, bool]:
        """Keep a decision in place of the one there is; whether it is the first. ValueError for one posting twice.

        The same decision with the same remark changes nothing.
        """
        ...

    def withdraw(self, one: str, other: str) -> bool:
        """Withdraw a decision; whether it was there."""
        ...

    def decide_each(
        self, decisions: Sequence[PairDecision], remark: Remark, expected: int | None = None, *, undecided: bool = False
    ) -> FeedbackBatch:
        """Keep many decisions in one transaction, all of them or none. Who decided the same stays its author.

        Args:
            decisions: on pairs that are all different.
            remark: of all.
            expected: the catalogue's version, if it has to be that one.
            undecided: whether those on pairs that somebody decided on are left out.

        Raises:
            ConditionFailed: the catalogue is of another version; nothing is changed.
        """
        ...

    def undo(self, batch_id: str) -> FeedbackBatch:
        """Make feedback what it was before a batch, on those of its pairs that are as it left them.

        A batch that was undone stays as it is. Raises BatchNotFound.
        """
        ...

    def batch(self, batch_id: str) -> FeedbackBatch | None:
        """The batch with an id; None where there is none. The oldest beyond a thousand are forgotten."""
        ...

    def batches(self, before: int | None, limit: int) -> Sequence[FeedbackBatch]:
        """The last `limit` batches, the newest first, of those before a number where one is given."""
        ...


class ProductStore(Protocol):
    """Keeps products, which partition postings, and their events; raises as `PostingStore` does."""

    def state(self) -> ProductState:
        """How they are."""
        ...

    def members(self) -> Mapping[str, int]:
        """Number of its product by posting_id, of all that have one; postings may be gone meanwhile."""
        ...

    def doubts(self) -> Mapping[int, float]:
        """By their numbers, the doubts of products that have any."""
        ...

    def keep(
        self,
        changes: Sequence[CausedChange],
        doubts: Mapping[int, float],
        *,
        matcher: str,
        expected: int,
    ) -> tuple[Sequence[ProductEvent], ProductState]:
        """Change products, all of them or none; the event of each change, and the state afterwards.

        Products that had merged into one that merges follow it.

        Args:
            changes: one of a product at most; new ones have numbers above the last that was given.
            doubts: by number, of products that have postings; that of others stays, of a new one it is 0. One that
                changes otherwise in nothing has no event.
            matcher: label of the matcher that made them.
            expected: revision of the state that the changes start from.

        Raises:
            ProductsChanged: the state is of another revision; nothing is changed.
            ValueError: the changes do not fit what is stored, or each other; nothing is changed.
        """
        ...

    def product(self, number: int) -> Product | None:
        """The product with a number, also one that is no more; None where there never was one."""
        ...

    def members_of(self, number: int) -> Sequence[str]:
        """posting_ids of a product's members, ascending; none where it is no more."""
        ...

    def page(self, sort: ProductSort, after: Place | None, limit: int) -> Sequence[Product]:
        """The first `limit` products that have postings, in an order, behind a place in it."""
        ...

    def count(self) -> int:
        """How many products have postings."""
        ...

    def events_of(self, number: int, before: int | None, limit: int) -> Sequence[ProductEvent]:
        """The last `limit` events of a product, the newest first, of those before a revision where one is given."""
        ...


class ChangeFeed(Protocol):
    """Tells the changes of all that is kept, in the order in which they were made; raises as `PostingStore` does.

    It is how anything follows a store: a change that was told is stored, and none is left out.
    """

    def changes(
        self,
        since: Position,
        limit: int | None = None,
        kinds: frozenset[ChangeKind] = EVERY_KIND,
        upto: int | None = None,
    ) -> FeedPage:
        """The first changes behind a position.

        Args:
            since: the position.
            limit: how many at most; None: all.
            kinds: of changes.
            upto: the version up to which they are told; None: all that is stored.

        Raises:
            HistoryLost: something of these kinds was deleted since, or happened to a product, and is forgotten; or the
                position is one of another store.
            VersionUnknown: the position is of a version that is yet to come.
        """
        ...
