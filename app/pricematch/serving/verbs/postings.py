"""Verbs on stored postings and their images."""

import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import BinaryIO

from pricematch.catalogue.features import Wanted
from pricematch.catalogue.fields import field_values
from pricematch.catalogue.filters import Filter, holds
from pricematch.catalogue.records import ANYHOW, Condition, Removal, Removed, Stored
from pricematch.errors import ImageError, ImageUnavailable, PostingNotFound, StoreError
from pricematch.serving.change_batches import AT_ONCE, WantedChange, change_each
from pricematch.serving.filtered_pages import filtered_page
from pricematch.serving.intake import Offered
from pricematch.serving.patches import PostingPatch
from pricematch.serving.results import ChangedEach, Page, PutResult, RemovedMatching
from pricematch.serving.snapshot import Snapshot
from pricematch.serving.verbs.verbs import Verbs
from pricematch.store.ports import ChangeOutcome

_log = logging.getLogger("pricematch")


class PostingVerbs(Verbs):
    """Read, put, patch and remove postings."""

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

    def image_name(self, posting_id: str, place: int = 1) -> str:
        """The name of a stored posting's image, its digest, by its place; raises PostingNotFound, ImageUnavailable."""
        images = self.snapshot.matcher.catalogue.posting(posting_id).images
        if not images:
            raise ImageUnavailable(f"posting {posting_id!r} has no image here")
        if place > len(images):
            raise ImageUnavailable(f"posting {posting_id!r} has {len(images)} images here, and none in place {place}")
        return images[place - 1]

    async def thumbnail(self, posting_id: str, side: int, place: int = 1) -> bytes:
        """A JPEG of a stored posting's image whose longer side has `side` pixels, or as many as there are.

        Raises PostingNotFound, ImageError, Overloaded, DeadlineExceeded, NotReady.
        """
        backend, name = self._ready, self.image_name(posting_id, place)

        async def compute() -> bytes:
            file, _ = await self.image(posting_id, place)
            with file:
                content = await self._workers.store(file.read)
            return (await self._features(backend, content, Wanted(thumbnail_side=side))).thumbnail

        async with self._workers.request():
            return await self._thumbnails.thumbnail(name, side, compute)

    async def image(self, posting_id: str, place: int = 1) -> tuple[BinaryIO, str]:
        """The file of a stored posting's image, to be closed, and its media type.

        Raises PostingNotFound, ImageUnavailable.
        """
        backend, name = self._ready, self.image_name(posting_id, place)
        try:
            return await self._workers.store(backend.opened, name)
        except ImageError as error:
            # the reason names a path of the server: it is for the log alone
            _log.warning("the image of posting %s: %s", posting_id, error)
            raise ImageUnavailable(f"the image of posting {posting_id!r} cannot be read") from error

    async def put(self, offered: Offered) -> PutResult:
        """Store a posting in place of the one with its id; the next query finds it.

        Raises:
            ImageError: one of its images cannot be used.
            ConditionFailed: the stored one is not as the condition says.
            StoreError, Overloaded, DeadlineExceeded, NotReady, ModelOutputError: nothing is changed.
        """
        backend = self._ready
        async with self._workers.request():
            put = offered.put(await self._stored_forms(backend, offered.images))
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
            if patch.images:
                await self.posting(patch.posting_id)
            forms = await self._stored_forms(backend, patch.images or ())
            posting, kept, snapshot = await self._workers.match(backend.intake.patch, patch.patch(forms))
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

    async def remove_matching(self, condition: Filter, limit: int, *, dry_run: bool) -> RemovedMatching:
        """Remove postings that a filter holds of, in the order of their ids, as many as there is time for.

        Args:
            condition: what must hold of a posting, also once its turn comes.
            limit: postings at most.
            dry_run: whether they are only counted.

        Raises:
            FieldNotDeclared: it would look into too many postings.
            StoreError: the store cannot be written to; what was removed before stays so.
            Overloaded, DeadlineExceeded, NotReady: nothing is removed.
        """
        intake, ends = self._ready.intake, time.monotonic() + self.settings.request_seconds
        async with self._workers.request():
            found = await self._workers.match(filtered_page, self.snapshot, condition, "", 0 if dry_run else limit)
        removals = [
            Removal(it.posting_id, when=lambda stored: holds(condition, partial(field_values, stored)))
            for it in found.postings
        ]
        removed, snapshot = 0, self.snapshot
        for first in range(0, len(removals), AT_ONCE):
            if time.monotonic() > ends:
                break
            outcomes, snapshot = await self._workers.store(change_each, intake, removals[first : first + AT_ONCE])
            removed += sum(isinstance(outcome, Removed) and outcome.there for outcome in outcomes)
        return RemovedMatching(snapshot, found.total, removed)

    async def remove(self, posting_id: str, condition: Condition = ANYHOW) -> tuple[bool, int]:
        """Remove a posting: whether it was there, and the catalogue's version; raises ConditionFailed, StoreError."""
        return await self._workers.store(self._ready.intake.remove, posting_id, condition)
