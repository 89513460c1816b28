"""A store that is served: opened, filled, followed, and judged anew once in a while."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from threading import Event, Thread
from typing import Any, Protocol

from pricematch.catalogue.image_features import ImageFeatures, Wanted
from pricematch.encoding.encoders import EncoderSpec
from pricematch.encoding.features import HASHING
from pricematch.encoding.stored_images import StoredImages, silent
from pricematch.errors import ImageError, PricematchError
from pricematch.formats.manifest import digest_of_file
from pricematch.progress import Progress
from pricematch.serving.importing import JOBS, Importer
from pricematch.serving.intake import Intake
from pricematch.serving.live_catalogue import FEW, LiveCatalogue
from pricematch.serving.loaded_models import ChosenModels, LoadedModels, choose_models, load_models
from pricematch.serving.models import activate
from pricematch.serving.reading import Reading
from pricematch.serving.seeding import Source, is_empty, read_source, seed, seeded_from
from pricematch.serving.uploads import Uploads
from pricematch.settings import Settings
from pricematch.store.job_files import JobFiles
from pricematch.store.sqlite.store import DATABASE, Store, open_store

_log = logging.getLogger("pricematch")
_REST = 10
"""So many times as long as judging all takes, nothing is judged anew because of a few changes."""


class BlockingEncoding(Protocol):
    """Encodes for threads, behind the requests."""

    def load(self, specs: Sequence[EncoderSpec]) -> None:
        """Hold these encoders; raises ArtefactError, ModelOutputError."""
        ...

    def retain(self, keys: Iterable[str]) -> None:
        """Forget all encoders but these."""
        ...

    def encode(self, images: Sequence[bytes], wanted: Wanted) -> Sequence[ImageFeatures | ImageError]:
        """See `Encoding.encode`."""
        ...


class Running:
    """A store that is served, and threads that follow its changes and take imports in.

    Args:
        settings: of the service.
        store: what is kept.
        images: the features of its images.
        chosen: the models that are loaded.
        read: builds snapshots with them.
        encoding: encodes for the models.

    Attributes:
        settings: of the service.
        live: the catalogue in memory.
        intake: changes it.
        uploads: takes files of postings.
        store: what is kept.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        images: StoredImages,
        chosen: ChosenModels,
        read: Reading,
        encoding: BlockingEncoding,
    ) -> None:
        self.settings, self.store, self._images, self._encoding = settings, store, images, encoding
        self._active: Mapping[str, str] = chosen.active
        started = time.monotonic()
        self._read = Reading(settings, store, images, read.held, silent, anew=True)
        self.live = LiveCatalogue(store.postings, images, self._read, read(), FEW)
        self._rest_until = self._rested(started)
        self.intake = Intake(store.postings, store.feedback, images, self.live)
        files = JobFiles(settings.data / JOBS)
        self.uploads = Uploads(settings, store, files)
        self._importer = Importer(settings, store, self.intake, files)
        self._warn_of_named()
        self._stop = Event()
        self._thread = Thread(target=self._watch, daemon=True, name="follow")
        self._thread.start()

    def manifests(self) -> Sequence[Mapping[str, Any]]:
        """Of the models that answer, as JSON has them."""
        return self._read.held.manifests

    def activate(self, name: str) -> None:
        """Let a version of a model serve, named as `cnn/2`; raises ArtefactError, StoreError."""
        activate(self.settings, name)

    def close(self) -> None:
        """Stop following, and let others serve the store."""
        self._stop.set()
        self._importer.close()
        self._thread.join()
        self.store.close()

    def tick(self) -> None:
        """Take in what other processes have changed, and do what is due.

        Raises:
            PricematchError: something cannot be done now; what is served stays.
        """
        current = self.live.follow()
        active = self.store.models.active()
        if active != self._active:
            self._active = active  # if it fails, it is not tried again and again
            self._take(choose_models(self.settings, active))
        elif current.stale or (current.changed and time.monotonic() > self._rest_until):
            self._rebuild(self._read)

    def _watch(self) -> None:
        while not self._stop.wait(self.settings.follow_seconds):
            try:
                self.tick()
            except PricematchError as error:
                _log.error("%s", error)
            except Exception:  # noqa: BLE001 — whatever it is, what is served stays, and the next look may do better
                _log.exception("the catalogue could not be brought up to date")

    def _take(self, chosen: ChosenModels) -> None:
        """Serve with other models, once all is embedded and judged with them."""
        loaded = load_models(chosen, self._encoding.load, silent, images=self.store.postings.has_images())
        self._read = Reading(self.settings, self.store, self._images, loaded, silent, anew=True)
        self._rebuild(self._read)
        self._encoding.retain(loaded.encoders)
        _log.info("now serving %s", ", ".join(f"{name}/{version}" for name, version in self.models.items()))
        self._warn_of_named()

    def _warn_of_named(self) -> None:
        """Warn where a version was activated and settings name another: nobody should wait for it."""
        for name, version in self.models.items():
            if (active := self._active.get(name, version)) != version:
                said = "%s/%s is active, but %s/%s serves: the settings, or the matcher, name it"
                _log.warning(said, name, active, name, version)

    def _rebuild(self, read: Reading) -> None:
        started = time.monotonic()
        current = self.live.rebuild(read)
        self._rest_until = self._rested(started)
        _log.info("version %d was read anew in %.1f s", current.version, time.monotonic() - started)

    @property
    def models(self) -> Mapping[str, str]:
        """Version by name of the models that answer."""
        matcher = self.live.current.matcher
        found = dict(matcher.models)
        for embedded in matcher.encoders.values():
            found |= embedded.encoder.versions
        return found

    @staticmethod
    def _rested(started: float) -> float:
        now = time.monotonic()
        return now + _REST * (now - started)


def start(settings: Settings, encoding: BlockingEncoding, progress: Progress, *, serve: bool = True) -> Running:
    """Open the store, fill it if it is empty, and make it ready to answer.

    Args:
        settings: of the service.
        encoding: encodes the images of the catalogue.
        progress: told what is being done.
        serve: whether no other process may serve the store meanwhile.

    Raises:
        PricematchError: says why it cannot be.
    """
    source: Source | None = None
    if not (settings.data / DATABASE).exists() and _names_catalogue(settings):
        source = read_source(settings, choose_models(settings, {}), progress)  # before anything is made
    store = open_store(settings.data, serve=serve)
    try:
        return _started(settings, store, source, encoding, progress)
    except BaseException:
        store.close()
        raise


def _started(
    settings: Settings, store: Store, source: Source | None, encoding: BlockingEncoding, progress: Progress
) -> Running:
    chosen, seeded = choose_models(settings, store.models.active()), seeded_from(store)
    if source is None and _names_catalogue(settings) and is_empty(store):
        source = read_source(settings, chosen, progress)
    images = StoredImages(store.images, store.computed, encoding.encode, HASHING, _warn_of_bad)
    load = partial(load_models, chosen, encoding.load, progress)
    if source is not None:
        loaded: LoadedModels = load(images=source.images is not None)
        seed(store, source, loaded, images, settings, progress)
    else:
        _warn_of_changed(settings, seeded)
        loaded = load(images=store.postings.has_images())
    return Running(settings, store, images, chosen, Reading(settings, store, images, loaded, progress), encoding)


def _names_catalogue(settings: Settings) -> bool:
    return "catalogue" in settings.model_fields_set or settings.catalogue.exists()


def _warn_of_changed(settings: Settings, seeded: str | None) -> None:
    """Warn where the catalogue file is not what the store was filled from: nobody should wait for its postings."""
    if settings.catalogue.is_file() and digest_of_file(settings.catalogue) != seeded:
        _log.warning(
            "%s is not what %s was filled from; what is stored is served. POST /postings/import takes its rows in",
            settings.catalogue,
            settings.data,
        )


def _warn_of_bad(digest: bytes, error: ImageError) -> None:
    _log.warning("the stored picture %s cannot be used: %s", digest.hex(), error)
