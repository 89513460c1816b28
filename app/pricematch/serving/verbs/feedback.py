"""Verbs on people's feedback."""

from collections.abc import Sequence

from pricematch.catalogue.feedback import contradictions
from pricematch.catalogue.feedback_batches import FeedbackFilter, FeedbackPlace, FeedbackSort
from pricematch.catalogue.records import NO_REMARK, Decision, PairFeedback, Remark
from pricematch.errors import BatchNotFound, FeedbackNotFound
from pricematch.serving.feedback_batches import BatchOptions, BatchPreview, decide_each, preview
from pricematch.serving.results import BatchPage, BatchResult, FeedbackPage, FeedbackResult
from pricematch.serving.verbs.verbs import Verbs


class FeedbackVerbs(Verbs):
    """Decide on pairs, alone or many at once, take decisions back, and list them."""

    async def decide(self, left: str, right: str, decision: Decision, remark: Remark = NO_REMARK) -> FeedbackResult:
        """Keep feedback on a pair of stored postings; raises PostingNotFound, StoreError."""
        backend = self._ready
        for posting_id in (left, right):
            backend.snapshot.matcher.catalogue.row(posting_id)

        def decide() -> FeedbackResult:
            feedback, new = backend.intake.decide(left, right, decision, remark)
            return FeedbackResult.of(feedback, backend.snapshot, new=new)

        return await self._workers.store(decide)

    async def feedback_on(self, left: str, right: str) -> FeedbackResult:
        """The feedback on a pair; raises FeedbackNotFound."""
        backend = self._ready

        def find() -> FeedbackResult:
            if (found := backend.intake.feedback.feedback_on(left, right)) is None:
                raise FeedbackNotFound(left, right)
            return FeedbackResult.of(found, backend.snapshot)

        return await self._workers.store(find)

    async def withdraw(self, left: str, right: str) -> tuple[bool, int]:
        """Take feedback back: whether it was there, and the catalogue's version; raises StoreError."""
        return await self._workers.store(self._ready.intake.withdraw, left, right)

    async def all_feedback(self) -> Sequence[PairFeedback]:
        """All feedback, by ids; raises StoreError."""
        return await self._workers.store(self._ready.intake.feedback.all_feedback)

    async def feedback(
        self, chosen: FeedbackFilter, sort: FeedbackSort, after: FeedbackPlace | None, offset: int, limit: int
    ) -> FeedbackPage:
        """A page of feedback, see `FeedbackStore.feedback_page`, and all contradictions; raises StoreError."""
        backend = self._ready

        def find() -> FeedbackPage:
            snapshot, stored = backend.snapshot, backend.intake.feedback
            total, found = stored.feedback_page(chosen, sort, after, offset, limit + 1)
            against = contradictions(snapshot.matcher.feedback)
            return FeedbackPage(snapshot.version, total, found[:limit], len(found) > limit, against)

        return await self._workers.store(find)

    async def decide_each(self, options: BatchOptions) -> BatchResult:
        """Keep feedback on many pairs, see `feedback_batches.decide_each`."""
        batch, version = await self._workers.store(decide_each, self._ready.intake, options)
        return BatchResult(version, batch)

    async def preview_batch(self, options: BatchOptions) -> BatchPreview:
        """What `decide_each` would do, see `feedback_batches.preview`; raises Overloaded, DeadlineExceeded as well."""
        intake = self._ready.intake
        async with self._workers.request():
            return await self._workers.alone(preview, intake, options)

    async def undo_batch(self, batch_id: str) -> BatchResult:
        """Take a batch of feedback back, see `FeedbackStore.undo`; raises BatchNotFound, StoreError."""
        batch, version = await self._workers.store(self._ready.intake.undo, batch_id)
        return BatchResult(version, batch)

    async def batch(self, batch_id: str) -> BatchResult:
        """A batch of feedback; raises BatchNotFound, StoreError."""
        backend = self._ready

        def find() -> BatchResult:
            if (found := backend.intake.feedback.batch(batch_id)) is None:
                raise BatchNotFound(batch_id)
            return BatchResult(backend.snapshot.version, found)

        return await self._workers.store(find)

    async def batches(self, before: int | None, limit: int) -> BatchPage:
        """The last batches of feedback, see `FeedbackStore.batches`; raises StoreError."""
        backend = self._ready

        def find() -> BatchPage:
            found = backend.intake.feedback.batches(before, limit + 1)
            return BatchPage(backend.snapshot.version, found[:limit], len(found) > limit)

        return await self._workers.store(find)
