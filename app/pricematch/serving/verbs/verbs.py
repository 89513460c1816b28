"""What all verbs of the service share."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.errors import AddressRefused, ImageError, ImageNotFetched, OutgoingError
from pricematch.serving.backend import Backend, Readiness
from pricematch.serving.caches import BoundedCache, FeatureCache, ResultCache, ThumbnailCache
from pricematch.serving.change_readers import Arrivals, ChangeReaders, Telling
from pricematch.serving.posting_images import whole_of
from pricematch.serving.shared import Shared
from pricematch.settings import DEFAULT_NAMESPACE, Settings

_log = logging.getLogger("pricematch")


class Verbs(Readiness):
    """What all verbs share: threads, caches, and whoever reads changes.

    Args:
        settings: of the service.
        shared: with the services of other namespaces; None where there are none.
        namespace: whose catalogue it is.

    Attributes:
        settings: of the service.
        namespace: whose catalogue it is.
        shared: with the services of other namespaces.
        arrivals: of versions that serve.
        telling: how each webhook is told of changes.
    """

    def __init__(self, settings: Settings, shared: Shared | None = None, namespace: str = DEFAULT_NAMESPACE) -> None:
        super().__init__()
        self.settings, self.namespace = settings, namespace
        self.shared = Shared(settings) if shared is None else shared
        self._workers, self._alone = self.shared.workers, shared is None
        self._image_features = FeatureCache(settings.max_cached_feature_bytes)
        self._results = ResultCache(settings.max_cached_result_bytes)
        self._thumbnails = ThumbnailCache(settings.max_cached_thumbnail_bytes)
        self.arrivals = Arrivals()
        self.telling: Sequence[Telling] = ()
        self._readers = ChangeReaders(self.shared.reading, self.arrivals)

    @property
    def caches(self) -> Mapping[str, BoundedCache[Any]]:
        """What is kept for requests that come again, by what is kept."""
        return {"features": self._image_features, "results": self._results, "thumbnails": self._thumbnails}

    def share_memory(self, services: int) -> None:
        """Keep as much for requests that come again as is due to one of so many services, each of which has its own.

        What is kept for one is neither found nor pushed out by another: how long an answer takes tells nothing of what
        was asked elsewhere.
        """
        settings = self.settings
        self._image_features.resize(settings.max_cached_feature_bytes // services)
        self._results.resize(settings.max_cached_result_bytes // services)
        self._thumbnails.resize(settings.max_cached_thumbnail_bytes // services)

    @property
    def webhooks(self) -> Sequence[str]:
        """URLs that are told of the changes of this catalogue."""
        return self.settings.webhooks_of(self.namespace)

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
        """Let no further work begin; the work of others goes on."""
        if self._alone:
            self._workers.close()

    def check_room(self) -> None:
        """Raise Overloaded while as many requests are worked on, or wait for it, as may."""
        self._workers.check_room()

    async def fetched(self, url: str) -> bytes:
        """The image at a URL that a request names, without whatever this service could prove itself by.

        Raises:
            ImageNotFetched: the settings do not name its host, it is at no public address, or gave nothing in time.
        """
        if not self.settings.image_hosts:
            raise ImageNotFetched("expected an image, got a URL: this service fetches none (setting image_hosts)")
        try:
            async with self.shared.fetches:
                found = await self.shared.outgoing.fetch(url)
        except AddressRefused as error:
            _log.warning("an image was not fetched: %s", error)  # where a name leads inside is for the log alone
            raise ImageNotFetched("expected a URL of a host that may be asked, at a public address") from error
        except OutgoingError as error:
            raise ImageNotFetched(f"no image could be fetched: {error}") from error
        if not found.ok:
            raise ImageNotFetched(f"no image could be fetched: its host answered {found.reason}")
        return found.content

    async def _features(self, backend: Backend, image: bytes, wanted: Wanted) -> ImageFeatures:
        """The features of one image; raises ImageError, and as `match`."""
        [found] = await self._image_features.features([image], wanted, backend.features)
        if isinstance(found, ImageError):
            raise found
        return found

    async def _features_of_each(
        self, backend: Backend, images: Sequence[Sequence[bytes]], wanted: Wanted
    ) -> list[list[ImageFeatures]]:
        """The features of the images of each of some postings; raises ImageError, and as `match`."""
        each = [image for of_posting in images for image in of_posting]
        found = await self._image_features.features(each, wanted, backend.features) if each else []
        return whole_of(images, found)

    async def _stored_forms(self, backend: Backend, images: Sequence[bytes]) -> list[ImageFeatures]:
        """The stored forms of a posting's images, whose features are computed and kept if they are not.

        Raises ImageError.
        """
        [forms] = await self._features_of_each(backend, [images], Wanted(stored_form=True))
        kept, matcher, content = backend.intake.images, backend.snapshot.matcher, {it.digest: it for it in forms}
        lacking = await self._workers.store(kept.lacking, list(content), matcher.wanted_of_stored) if forms else {}
        for wanted, digests in lacking.items():
            stored = [content[digest].stored_form for digest in digests]
            found = await self._image_features.features(stored, wanted, backend.features)
            of_digest = dict(zip(digests, found, strict=True))
            whole_of([images], (of_digest.get(it.digest, it) for it in forms))
            await self._workers.store(kept.keep, [it for it in found if isinstance(it, ImageFeatures)])
        return forms
