"""The service without HTTP: one method a verb."""

import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO, TypeVar

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.catalogue.feed import ChangeKind, Position
from pricematch.catalogue.feedback import among, contradictions
from pricematch.catalogue.feedback_batches import FeedbackFilter, FeedbackPlace, FeedbackSort
from pricematch.catalogue.fields import Field
from pricematch.catalogue.filters import Filter
from pricematch.catalogue.products import Place, ProductSort
from pricematch.catalogue.records import (
    ANYHOW,
    NO_REMARK,
    Condition,
    Decision,
    Job,
    PairFeedback,
    Patch,
    Put,
    Remark,
    Stored,
)
from pricematch.encoding.ports import Runtime
from pricematch.errors import (
    BatchNotFound,
    FeedbackNotFound,
    FieldNotFound,
    ImageError,
    ImageUnavailable,
    JobNotFound,
    PostingNotFound,
    RowProblem,
    StoreError,
)
from pricematch.matching.clusters import ClusterOptions, cluster, wanted_for_clusters
from pricematch.matching.comparison import compare, wanted_to_compare
from pricematch.matching.queries import Options, Query, Result
from pricematch.matching.review import review
from pricematch.pairs.thresholds import Target
from pricematch.serving.backend import Backend, Readiness, Workers
from pricematch.serving.caches import BoundedCache, FeatureCache, ResultCache, ThumbnailCache
from pricematch.serving.change_batches import AT_ONCE, WantedChange, change_each
from pricematch.serving.change_readers import Arrivals, ChangeReaders, ReadChanges, Telling
from pricematch.serving.exclusions import unlike_posting
from pricematch.serving.feedback_batches import BatchOptions, BatchPreview, decide_each, preview
from pricematch.serving.filtered_pages import field_counts, filtered_page
from pricematch.serving.intake import Offered
from pricematch.serving.patches import PostingPatch
from pricematch.serving.product_pages import ProductDetails, ProductHistory, ProductPage, ProductReader
from pricematch.serving.results import (
    BatchPage,
    BatchResult,
    ChangedEach,
    ChangesRead,
    Clustered,
    Compared,
    ComparedItem,
    Declared,
    DeclaredFields,
    FeedbackPage,
    FeedbackResult,
    FieldCounts,
    Matched,
    MatchedEach,
    Page,
    PutResult,
    Reviewed,
)
from pricematch.serving.snapshots import Snapshot
from pricematch.serving.training_jobs import TrainingOptions
from pricematch.serving.uploads import ImportOptions
from pricematch.settings import Settings
from pricematch.store.ports import ChangeOutcome

_log = logging.getLogger("pricematch")
T = TypeVar("T")


class Service(Readiness):
    """Answers queries and changes the catalogue, once it is open; for one event loop.

    Images are encoded first, then matched in a thread.

    Attributes:
        settings: of the service.
        arrivals: of versions that serve.
        telling: how each webhook is told of changes.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self._workers = Workers(settings)
        self._image_features = FeatureCache(settings.max_cached_feature_bytes)
        self._results = ResultCache(settings.max_cached_result_bytes)
        self._thumbnails = ThumbnailCache(settings.max_cached_thumbnail_bytes)
        self.arrivals = Arrivals()
        self.telling: Sequence[Telling] = ()
        self._readers = ChangeReaders(settings.max_feed_readers, self.arrivals)

    @property
    def caches(self) -> Mapping[str, BoundedCache[Any]]:
        """What is kept for requests that come again, by what is kept."""
        return {"features": self._image_features, "results": self._results, "thumbnails": self._thumbnails}

    @property
    def change_readers(self) -> int:
        """How many read the changes now, or wait for some."""
        return len(self._readers)

    def open(self, backend: Backend) -> None:
        """Answer from now on."""
        super().open(backend)
        backend.intake.snapshots.tell(self.arrivals.come)

    def drain(self) -> None:
        """Report not ready from now on, and let nobody wait for changes; requests are still answered."""
        super().drain()
        self.arrivals.end()

    def close(self) -> None:
        """Let no further work begin."""
        self._workers.close()

    def check_room(self) -> None:
        """Raise Overloaded while as many requests are worked on, or wait for it, as may."""
        self._workers.check_room()

    # queries

    async def match(self, image: bytes | None, title: str, options: Options) -> Matched:
        """The matches of an image, a title, or both.

        Raises:
            FieldNotDeclared: the filter would look into too many postings.
            ImageError: the image cannot be used.
            RequestUnanswerable: nothing that is held could answer this.
            Overloaded, DeadlineExceeded, NotReady, ModelOutputError: not now.
        """
        backend, snapshot = self._ready, self.snapshot
        wanted = snapshot.matcher.wanted(options, image=image is not None, title=bool(title))
        async with self._workers.request():
            features = None if image is None else await self._features(backend, image, wanted)
            run, query = self._workers.match, Query(title, features)
            return Matched(snapshot, await self._results.match(snapshot.matcher, query, options, run))

    async def match_each(self, images: Sequence[bytes], options: Options) -> MatchedEach:
        """The matches of several images, each by itself; a bad one fails alone. Raises as `match`."""
        backend, snapshot = self._ready, self.snapshot
        matcher = snapshot.matcher
        wanted = matcher.wanted(options, image=True, title=False)

        def match(found: Sequence[ImageFeatures | ImageError]) -> list[Result | ImageError]:
            # one by one: in a catalogue that had the others, each would be less probable
            return [it if isinstance(it, ImageError) else matcher.match(Query("", it), options) for it in found]

        async with self._workers.request():
            found = await self._image_features.features(images, wanted, backend.features)
            each = await self._workers.match(match, found)
        return MatchedEach(snapshot, matcher.decision(options, wanted.encoders), each)

    async def matches_of(self, posting_id: str, options: Options, exclude: Sequence[str] = ()) -> Matched:
        """The matches of a stored posting, itself excluded.

        Args:
            posting_id: of the posting.
            options: which are wanted.
            exclude: see `unlike_posting`, whose errors are raised.

        Raises PostingNotFound, and as `match`.
        """
        snapshot = self.snapshot
        options = replace(options, filter=unlike_posting(options.filter, exclude, snapshot, posting_id))
        async with self._workers.request():
            run = self._workers.match
            return Matched(snapshot, await self._results.match_posting(snapshot.matcher, posting_id, options, run))

    async def compare(self, left: ComparedItem, right: ComparedItem, options: Options) -> Compared:
        """How probable it is that two postings are the same product; raises PostingNotFound, and as `match`."""
        backend, snapshot = self._ready, self.snapshot
        matcher = snapshot.matcher
        for item in (left, right):
            if item.posting_id is not None:
                matcher.catalogue.row(item.posting_id)
        wanted = wanted_to_compare(matcher, options)
        images = [item.image for item in (left, right) if item.image is not None]
        async with self._workers.request():
            found = await self._image_features.features(images, wanted, backend.features) if images else []
            bad = next((it for it in found if isinstance(it, ImageError)), None)
            if bad is not None:
                raise bad
            features = iter(it for it in found if isinstance(it, ImageFeatures))
            one, other = (
                it.posting_id or Query(it.title, None if it.image is None else next(features)) for it in (left, right)
            )
            return Compared(snapshot, await self._workers.match(compare, matcher, one, other, options))

    async def cluster(self, options: ClusterOptions, images: Sequence[bytes]) -> Clustered:
        """The clusters of stored postings and images; a bad item gets its own problem and does not fail the rest.

        Raises LimitExceeded where more pairs are within eps than may be, and as `match`.
        """
        backend, snapshot = self._ready, self.snapshot
        wanted = wanted_for_clusters(snapshot.matcher, options) if images else Wanted()

        def work(found: Sequence[ImageFeatures | ImageError]) -> Clustered:
            batch, decision = cluster(snapshot.matcher, options, found)
            against = among(contradictions(snapshot.matcher.feedback), set(batch.posting_ids))
            return Clustered(snapshot, batch, decision, against)

        async with self._workers.request():
            found = await self._image_features.features(images, wanted, backend.features) if images else []
            return await self._workers.alone(work, found)

    async def review(self, target: Target | None, limit: int, condition: Filter | None = None) -> Reviewed:
        """The pairs whose feedback would teach most, of both of whose postings a filter holds.

        Raises RequestUnanswerable, FieldNotDeclared, Overloaded, DeadlineExceeded.
        """
        snapshot = self.snapshot
        search = snapshot.matcher.trained("a review")
        decision, rule = snapshot.matcher.decision(Options(target=target)), search.rule(target, None)
        async with self._workers.request():
            allowed = await self._workers.match(snapshot.matcher.allowed, condition)
            return Reviewed(snapshot, decision, await self._workers.alone(review, search, rule, limit, allowed))

    # postings

    async def postings(self, after: str, limit: int, condition: Filter | None = None) -> Page:
        """The first `limit` stored postings whose ids are greater than `after`, and of which a filter holds.

        Raises FieldNotDeclared.
        """
        backend = self._ready
        if condition is not None:
            return await self._workers.store(filtered_page, backend.snapshot, condition, after, limit)

        def page() -> Page:
            found = backend.intake.store.page(after, limit + 1)
            postings = [stored.posting for stored in found[:limit]]
            return Page(backend.snapshot, backend.intake.store.count(), postings, len(found) > limit)

        return await self._workers.store(page)

    async def posting(self, posting_id: str) -> tuple[Stored, Snapshot]:
        """A stored posting, and the newest snapshot; raises PostingNotFound."""
        backend = self._ready
        if (stored := await self._workers.store(backend.intake.store.get, posting_id)) is None:
            raise PostingNotFound(posting_id)
        return stored, backend.snapshot

    def image_name(self, posting_id: str) -> str:
        """The name of a stored posting's image, its digest; raises PostingNotFound, ImageUnavailable."""
        if (name := self.snapshot.matcher.catalogue.posting(posting_id).image) is None:
            raise ImageUnavailable(f"posting {posting_id!r} has no image here")
        return name

    async def thumbnail(self, posting_id: str, side: int) -> bytes:
        """A JPEG of a stored posting's image whose longer side has `side` pixels, or as many as there are.

        Raises PostingNotFound, ImageError, Overloaded, DeadlineExceeded, NotReady.
        """
        backend, name = self._ready, self.image_name(posting_id)

        async def compute() -> bytes:
            file, _ = await self.image(posting_id)
            with file:
                content = await self._workers.store(file.read)
            return (await self._features(backend, content, Wanted(thumbnail_side=side))).thumbnail

        async with self._workers.request():
            return await self._thumbnails.thumbnail(name, side, compute)

    async def image(self, posting_id: str) -> tuple[BinaryIO, str]:
        """The file of a stored posting's image, to be closed, and its media type.

        Raises PostingNotFound, ImageUnavailable.
        """
        backend, name = self._ready, self.image_name(posting_id)
        try:
            return await self._workers.store(backend.opened, name)
        except ImageError as error:
            # the reason names a path of the server: it is for the log alone
            _log.warning("the image of posting %s: %s", posting_id, error)
            raise ImageUnavailable(f"the image of posting {posting_id!r} cannot be read") from error

    async def put(self, offered: Offered) -> PutResult:
        """Store a posting in place of the one with its id; the next query finds it.

        Raises:
            ImageError: its image cannot be used.
            ConditionFailed: the stored one is not as the condition says.
            StoreError, Overloaded, DeadlineExceeded, NotReady, ModelOutputError: nothing is changed.
        """
        backend = self._ready
        async with self._workers.request():
            put = Put(offered.posting, None, offered.condition)
            if offered.image is not None:
                form = await self._stored_form(backend, offered.image)
                put = replace(put, image=form.stored_form, posting=replace(offered.posting, image=form.digest.hex()))
            kept, snapshot = await self._workers.match(backend.intake.put, put)
        return PutResult(snapshot, put.posting, kept)

    async def patch(self, patch: PostingPatch) -> PutResult:
        """Change some of a stored posting, as it is when its turn comes; the next query finds it.

        Raises:
            PostingNotFound: there is none.
            FieldInvalid: it would not be as it must be.
            ImageError, ConditionFailed, StoreError, …: as `put`.
        """
        backend = self._ready
        async with self._workers.request():
            digest = content = None
            if patch.image is not None:
                await self.posting(patch.posting_id)
                form = await self._stored_form(backend, patch.image)
                digest, content = form.digest.hex(), form.stored_form
            change = partial(patch.applied, image=digest)
            stored = Patch(patch.posting_id, change, content, patch.condition)
            posting, kept, snapshot = await self._workers.match(backend.intake.patch, stored)
        return PutResult(snapshot, posting, kept)

    async def change_each(self, changes: Sequence[WantedChange]) -> ChangedEach:
        """Put, patch and remove postings, each by itself; raises StoreError where none could be stored, NotReady."""
        intake, outcomes, snapshot = self._ready.intake, list[ChangeOutcome](), self.snapshot
        for first in range(0, len(changes), AT_ONCE):
            piece = changes[first : first + AT_ONCE]
            try:
                found, snapshot = await self._workers.store(change_each, intake, piece)
            except StoreError as error:
                if not first:
                    raise
                outcomes += [error] * (len(changes) - first)
                break
            outcomes += found
        return ChangedEach(snapshot, outcomes)

    async def remove(self, posting_id: str, condition: Condition = ANYHOW) -> tuple[bool, int]:
        """Remove a posting: whether it was there, and the catalogue's version; raises ConditionFailed, StoreError."""
        return await self._workers.store(self._ready.intake.remove, posting_id, condition)

    # products

    async def products(
        self, sort: ProductSort, after: Place | None, limit: int, condition: Filter | None = None
    ) -> ProductPage:
        """Products in an order, see `ProductReader.page`."""
        return await self._read_products(lambda reader: reader.page(sort, after, limit, condition))

    async def product(self, number: int) -> ProductDetails:
        """A product with its members, see `ProductReader.details`."""
        return await self._read_products(lambda reader: reader.details(number))

    async def product_history(self, number: int, before: int | None, limit: int) -> ProductHistory:
        """The events of a product, see `ProductReader.history`."""
        return await self._read_products(lambda reader: reader.history(number, before, limit))

    async def _read_products(self, read: Callable[[ProductReader], T]) -> T:
        backend = self._ready
        async with self._workers.request():
            reader = ProductReader(backend.snapshot, backend.intake.snapshots.settled, backend.products)
            return await self._workers.match(read, reader)

    # feedback

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

    # changes

    async def changes(
        self, since: Position, limit: int, kinds: frozenset[ChangeKind], wait_seconds: float
    ) -> ChangesRead:
        """The changes behind a position, up to the version that serves, once there are any, or none after some seconds.

        Raises HistoryLost, VersionUnknown, StoreError, and Overloaded where as many read changes as may.
        """
        return await self._readers.page(self.read_changes(limit, kinds), since, wait_seconds)

    def follow_changes(
        self, since: Position, limit: int, kinds: frozenset[ChangeKind]
    ) -> AsyncGenerator[ChangesRead, None]:
        """Pages of changes until the service stops, the first at once, and an empty one now and then; as `changes`."""
        return self._readers.pages(self.read_changes(limit, kinds), since, self.settings.heartbeat_seconds)

    def read_changes(self, limit: int, kinds: frozenset[ChangeKind]) -> ReadChanges:
        """Reads the changes behind a position that there are, up to the version that serves; for one reader."""
        backend = self._ready

        def read(since: Position) -> ChangesRead:
            snapshot = backend.snapshot
            return ChangesRead(snapshot.version, backend.feed.changes(since, limit, kinds, snapshot.held.version))

        return lambda since: self._workers.store(read, since)

    # fields, jobs and models

    def fields(self) -> DeclaredFields:
        """The declared fields, and how many postings have which values; raises NotReady."""
        snapshot = self.snapshot
        return DeclaredFields(snapshot, field_counts(snapshot.matcher))

    async def declare(self, field: Field) -> Declared:
        """Declare a field of postings, so that filters by it are quick; raises LimitExceeded, StoreError."""
        backend = self._ready

        def declare() -> Declared:
            new = backend.fields.declare(field, self.settings.max_declared_fields)
            snapshot = backend.intake.snapshots.declare(backend.fields.fields())
            counts = {it.field.name: it for it in field_counts(snapshot.matcher)}
            return Declared(counts.get(field.name, FieldCounts(field, 0, 0)), new)  # else it has gone meanwhile

        return await self._workers.store(declare)

    async def undeclare(self, name: str) -> None:
        """Let a field be as any other again; raises FieldNotFound, StoreError."""
        backend = self._ready

        def undeclare() -> None:
            if not backend.fields.undeclare(name):
                raise FieldNotFound(name)
            backend.intake.snapshots.declare(backend.fields.fields())

        await self._workers.store(undeclare)

    async def begin_import(self) -> str:
        """The id of an upload of postings, see `Uploads`; raises Overloaded where too many wait, StoreError."""
        return await self._workers.store(self._ready.uploading().begin)

    def open_import(self, job_id: str, name: str) -> BinaryIO:
        """A file of an upload to write to, `postings` or `images`; it and its `write` raise StoreError."""
        return self._ready.uploading().open(job_id, name)

    async def queue_import(self, job_id: str, folder: str | None, options: ImportOptions) -> Job:
        """Make a job of an upload; see `Uploads.queue`."""
        return await self._workers.store(self._ready.uploading().queue, job_id, folder, options)

    async def discard_import(self, job_id: str) -> None:
        """Delete an upload, unless a job was made of it."""
        await self._workers.store(self._ready.uploading().discard, job_id)

    async def queue_training(self, options: TrainingOptions) -> Job:
        """Make a job that trains a matcher, see `Trainer.queue`; raises LabelsNeeded, Overloaded, StoreError."""
        backend = self._ready

        def queue() -> Job:
            matcher = backend.intake.snapshots.settled().matcher
            return backend.training().queue(options, matcher.catalogue, matcher.feedback)

        return await self._workers.store(queue)

    async def jobs(self) -> Sequence[Job]:
        """The jobs that are kept, the newest first."""
        return await self._workers.store(self._ready.jobs.jobs)

    async def job(self, job_id: str, problems: int) -> tuple[Job, Sequence[RowProblem]]:
        """A job and its first problems; raises JobNotFound."""
        backend = self._ready

        def find() -> tuple[Job, Sequence[RowProblem]]:
            if (found := backend.jobs.job(job_id)) is None:
                raise JobNotFound(job_id)
            return found, backend.jobs.problems(job_id, 0, problems)

        return await self._workers.store(find)

    async def end_job(self, job_id: str) -> tuple[Job, bool]:
        """Cancel a job, or forget one that has ended: as it is or was, and whether it was forgotten."""
        return await self._workers.store(self._ready.uploading().end_job, job_id)

    async def activate(self, name: str, version: str) -> str | None:
        """Let a version of a model serve; the one that was activated before. Raises ArtefactError, StoreError."""
        return await self._workers.store(self._ready.activating(), f"{name}/{version}")

    def manifests(self) -> Sequence[Mapping[str, Any]]:
        """Manifests of the models that answer, as JSON has them; raises NotReady."""
        return self._ready.manifests()

    def runtimes(self) -> Mapping[str, Runtime]:
        """What runs the networks, by name and version, such as `cnn/1`; raises NotReady."""
        return self._ready.runtimes()

    def process_ids(self) -> Sequence[int]:
        """Of the processes that encode and run; raises NotReady."""
        return self._ready.process_ids()

    async def _features(self, backend: Backend, image: bytes, wanted: Wanted) -> ImageFeatures:
        """The features of one image; raises ImageError, and as `match`."""
        [found] = await self._image_features.features([image], wanted, backend.features)
        if isinstance(found, ImageError):
            raise found
        return found

    async def _stored_form(self, backend: Backend, image: bytes) -> ImageFeatures:
        """The stored form of an image, whose features are computed and kept if they are not; raises ImageError."""
        form = await self._features(backend, image, Wanted(stored_form=True))
        images, matcher = backend.intake.images, backend.snapshot.matcher
        for wanted in await self._workers.store(images.lacking, [form.digest], matcher.wanted_of_stored):
            found = await self._features(backend, form.stored_form, wanted)
            await self._workers.store(images.keep, [found])
        return form
