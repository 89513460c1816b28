"""Starts a service in a thread: its store is opened, filled and followed until the service stops."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from threading import Event, Lock, Thread
from typing import Any

from pricematch.catalogue.feed import Position
from pricematch.catalogue.postings import Catalogue
from pricematch.catalogue.records import ModelChange
from pricematch.encoding.blocking import BlockingEncoding, ForThreads
from pricematch.encoding.encoding import Encoding, EncodingObserver
from pricematch.encoding.stored_images import StoredImages
from pricematch.encoding.versions import CNN
from pricematch.encoding.worker_launch import LaunchedWorker
from pricematch.errors import ImageError, NotReady, PricematchError
from pricematch.formats.default_matcher import NAME, DefaultManifest
from pricematch.formats.manifest import digest_of_file
from pricematch.pairs.default_model import TaughtScorer
from pricematch.progress import Progress, silent
from pricematch.serving.backend import Backend
from pricematch.serving.catalogue_whitening import CatalogueWhitening
from pricematch.serving.imports import Importer
from pricematch.serving.initial_load import Source, is_empty, load_catalogue, loaded_from, read_source
from pricematch.serving.intake import Intake
from pricematch.serving.models import ChosenModels, LoadedModels, activate, choose_models, load_models
from pricematch.serving.products import ProductKeeper
from pricematch.serving.service import Service
from pricematch.serving.snapshot_builder import SnapshotBuilder, read_postings
from pricematch.serving.snapshots import FEW, Snapshots
from pricematch.serving.training_jobs import Trainer
from pricematch.serving.uploads import Uploads
from pricematch.serving.webhooks import Render, Webhooks
from pricematch.settings import Settings
from pricematch.store.job_files import JobFiles
from pricematch.store.sqlite.store import DATABASE, JOBS, Store, open_store

_log = logging.getLogger("pricematch")
_REST = 10
"""So many times as long as scoring all takes, nothing is scored anew because of a few changes."""


class ServedCatalogue:
    """A store that is served, and threads that follow its changes and take imports in.

    Attributes:
        settings: of the service.
        snapshots: the catalogue in memory.
        intake: changes it.
        uploads: takes files of postings.
        trainer: trains matchers; None where another process may serve the store.
        store: what is kept.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        images: StoredImages,
        chosen: ChosenModels,
        build: SnapshotBuilder,
        encoding: BlockingEncoding,
        whitening: CatalogueWhitening | None,
    ) -> None:
        self.settings, self.store, self._images, self._encoding = settings, store, images, encoding
        self._whitening = whitening
        self._active: Mapping[str, str] = chosen.active
        self._activating = Lock()
        self._chosen_since = Position(0)
        started = time.monotonic()
        self._build = SnapshotBuilder(settings, store, images, build.models, silent, anew=True)
        keeper = None if store.lock is None else ProductKeeper(store.products)  # one process keeps them
        self.snapshots = Snapshots(store.postings, store.feed, images, self._build, build(), FEW, keeper)
        self._rest_until = started + (1 + _REST) * (time.monotonic() - started)
        self.intake = Intake(store.postings, store.feedback, images, self.snapshots)
        files = JobFiles(settings.data / JOBS)
        self.uploads = Uploads(settings, store, files)
        self._importer = Importer(settings, store, self.intake, files)
        self.trainer: Trainer | None = None
        if store.lock is not None:  # one process trains
            self.trainer = Trainer(self._served_settings, store, self._described, self._keep_matcher)
        self._warn_of_named()
        self._stop = Event()
        self._thread = Thread(target=self._watch, daemon=True, name="follow")
        self._thread.start()

    def manifests(self) -> Sequence[Mapping[str, Any]]:
        """Of the models that answer, as JSON has them; the default matcher's as verdicts have made it."""
        first, *others = [*self._build.models.manifests] or [{}]
        search = self.snapshots.current.matcher.probability
        if search is None or not search.teachable:
            return self._build.models.manifests
        moved: dict[str, Any] = {"probabilities": search.probabilities, "verdicts": search.verdicts}
        if isinstance(scorer := search.index.model.second, TaughtScorer):
            moved["taught"] = {**scorer.evidence.by_term, "agreement": scorer.agreement}
        return [{**first, **moved}, *others]

    def close(self) -> None:
        """Stop following, and let others serve the store."""
        self._stop.set()
        if self.trainer is not None:
            self.trainer.close()
        self._importer.close()
        self._thread.join()
        self.store.close()

    def tick(self) -> None:
        """Take in what other processes have changed, and do what is due.

        Raises:
            PricematchError: something cannot be done now; what is served stays.
        """
        self.snapshots.complete()
        current = self.snapshots.declare(self.store.fields.fields)
        served = current.matcher.catalogue
        with self._activating:
            active, before = self._activated(), self._active
            self._active = active  # if it fails, it is not tried again and again
        if active != before:
            self._take(choose_models(self.settings, active))
        elif self._whitening is not None and (images := self._whitening.due(served, self._build.models, active)):
            self._whitening.whiten(images, self._build.models)
            self._take(choose_models(self.settings, active))  # the newest, since none is activated
        elif current.stale or current.matcher.outdated or (current.changed and time.monotonic() > self._rest_until):
            self._rebuild()

    def _activated(self) -> Mapping[str, str]:
        """Version by name of the models that were activated up to now."""
        page = self.store.feed.changes(self._chosen_since, kinds=frozenset({"model"}))
        self._chosen_since = page.next
        return {**self._active, **{it.name: it.version for it in page.changes if isinstance(it, ModelChange)}}

    def _served_settings(self) -> Settings:
        """The settings, with the encoder of images that serves: what it has computed is kept."""
        info = self._build.models.retrieved.get("image")
        if info is None or not info.versions:
            return self.settings
        name, version = list(info.versions.items())[-1]
        return self.settings.model_copy(update={"encoder": name, "encoder_version": version})

    def _described(self) -> Mapping[str, Any] | None:
        """The matcher that serves, and its own held-out figures; the default one has none. None without a matcher."""
        loaded = self._build.models.matcher
        if loaded is None:
            return None
        held_out = [] if isinstance(loaded.manifest, DefaultManifest) else list(loaded.manifest.held_out)
        return {"matcher": loaded.label, "held_out": held_out}

    def _keep_matcher(self) -> None:
        """Activate the matcher that serves, where none was: else the next start would take one that was trained since.

        Nothing is loaded anew. Raises StoreError.
        """
        loaded = self._build.models.matcher
        with self._activating:
            if loaded is not None and self.settings.matcher == "auto" and NAME not in self._active:
                self.store.models.activate(NAME, loaded.manifest.version)
                self._active = {**self._active, NAME: loaded.manifest.version}

    def _watch(self) -> None:
        while not self._stop.wait(self.settings.follow_seconds):
            try:
                self.tick()
            except PricematchError as error:
                _log.error("%s", error)
            except Exception:  # noqa: BLE001 — whatever it is, what is served stays, and the next look may do better
                _log.exception("the catalogue could not be brought up to date")

    def _take(self, chosen: ChosenModels) -> None:
        """Serve with other models, once all is encoded and scored with them."""
        loaded = load_models(chosen, self._encoding.load, silent, images=_has_images(self.store))
        if loaded.lacking is not None and self._build.models.retrieved:  # who has an encoder goes on with it
            raise loaded.lacking
        self._build = SnapshotBuilder(self.settings, self.store, self._images, loaded, silent, anew=True)
        self._rebuild()
        self._encoding.retain(loaded.encoders)
        _log.info("now serving %s", ", ".join(f"{name}/{version}" for name, version in self.models.items()))
        self._warn_of_named()

    def _warn_of_named(self) -> None:
        """Warn where a version was activated and settings name another, which serves."""
        for name, version in self.models.items():
            if (active := self._active.get(name, version)) != version:
                text = "%s/%s is active, but %s/%s serves: the settings, or the matcher, name it"
                _log.warning(text, name, active, name, version)

    def _rebuild(self) -> None:
        started = time.monotonic()
        current = self.snapshots.rebuild(self._build)
        seconds = time.monotonic() - started
        self._rest_until = started + (1 + _REST) * seconds
        _log.info("version %d was read anew in %.1f s", current.version, seconds)

    @property
    def models(self) -> Mapping[str, str]:
        """Version by name of the models that answer."""
        matcher = self.snapshots.current.matcher
        found = dict(matcher.models)
        for embedded in matcher.encoders.values():
            found |= embedded.encoder.versions
        return found


def start(
    settings: Settings, encoding: BlockingEncoding, progress: Progress, *, serve: bool = True, settle: bool = False
) -> ServedCatalogue:
    """Open the store, fill it if it is empty, and make it ready to answer.

    Args:
        settings: of the service.
        encoding: encodes the images of the catalogue.
        progress: called with what is being done.
        serve: whether no other process may serve the store meanwhile.
        settle: whether it whitens the default encoder first where that is due, instead of once it answers.

    Raises:
        PricematchError: it cannot be started.
    """
    source: Source | None = None
    if not (settings.data / DATABASE).exists() and _names_catalogue(settings):
        chosen = choose_models(settings, {})  # before anything is made
        source = read_source(settings, chosen, encoding.encode, progress)
        chosen.check_encoder(images=source.images is not None)
    store = open_store(settings.data, serve=serve, lost_found_days=settings.lost_found_days)
    try:
        whitening = CatalogueWhitening(settings, store.images, encoding) if serve or settle else None
        return _started(settings, store, source, encoding, progress, whitening, settle=settle)
    except BaseException:
        store.close()
        raise


def _started(
    settings: Settings,
    store: Store,
    source: Source | None,
    encoding: BlockingEncoding,
    progress: Progress,
    whitening: CatalogueWhitening | None,
    *,
    settle: bool,
) -> ServedCatalogue:
    chosen, loaded_digest = choose_models(settings, store.models.active()), loaded_from(store)
    if source is None and _names_catalogue(settings) and is_empty(store):
        source = read_source(settings, chosen, encoding.encode, progress)
    images = StoredImages(store.images, store.computed, encoding.encode, _warn_of_bad)
    load = partial(load_models, chosen, partial(encoding.load, progress=progress), progress)
    if source is not None:
        loaded: LoadedModels = load(images=source.images is not None)
        load_catalogue(store, source, loaded, images, settings, progress)
    else:
        _warn_of_changed(settings, loaded_digest)
        loaded = load(images=_has_images(store))
    if loaded.lacking is not None:
        later = "; once there are images, a start needs it" if settings.encoder == CNN else ""
        text = "the default matcher goes without its encoder and compares by hash and title alone%s: %s"
        _log.warning(text, later, loaded.lacking)
    if settle and whitening is not None and _whitened(whitening, store, chosen, loaded):
        chosen = choose_models(settings, chosen.active)
        loaded = load_models(chosen, partial(encoding.load, progress=progress), progress, images=True)
        encoding.retain(loaded.encoders)
    build = SnapshotBuilder(settings, store, images, loaded, progress)
    return ServedCatalogue(settings, store, images, chosen, build, encoding, whitening)


def _whitened(whitening: CatalogueWhitening, store: Store, chosen: ChosenModels, loaded: LoadedModels) -> bool:
    """Whiten the default encoder on what is stored, where that is due; whether it was."""
    if not (images := whitening.due(Catalogue(read_postings(store.postings)), loaded, chosen.active)):
        return False
    try:
        whitening.whiten(images, loaded)
    except PricematchError as error:
        _log.warning("the default encoder stays as it is: %s", error)
        return False
    return True


def _has_images(store: Store) -> bool | None:
    """Whether any posting has an image; None where nothing is stored yet, so that images may come."""
    return store.postings.has_images() or (None if is_empty(store) else False)


def _names_catalogue(settings: Settings) -> bool:
    return "catalogue" in settings.model_fields_set or settings.catalogue.exists()


def _warn_of_changed(settings: Settings, loaded_digest: str | None) -> None:
    """Warn where the catalogue file is not the one that the store was filled from."""
    if settings.catalogue.is_file() and digest_of_file(settings.catalogue) != loaded_digest:
        _log.warning(
            "%s is not what %s was filled from; what is stored is served. POST /postings/import takes its rows in",
            settings.catalogue,
            settings.data,
        )


def _warn_of_bad(digest: bytes, error: ImageError) -> None:
    _log.warning("the stored image %s cannot be used: %s", digest.hex(), error)


@asynccontextmanager
async def started(
    service: Service,
    progress: Progress,
    observer: EncodingObserver | None = None,
    *,
    serve: bool = True,
    settle: bool = False,
    launched: Sequence[LaunchedWorker] = (),
    render: Render | None = None,
) -> AsyncIterator["asyncio.Task[None]"]:
    """Start a service, which goes on until the end of the block.

    Args:
        service: is opened once it can answer.
        progress: called with what is being done.
        observer: called with the batches that are encoded.
        serve: whether no other process may serve the store meanwhile.
        settle: see `start`.
        launched: processes that encode which were launched already, see `launched_workers`.
        render: writes the messages of webhooks; None: none is told.

    Yields:
        The task that ends when the service is open, or with the PricematchError that says why it cannot be.
    """
    settings = service.settings

    def report(what: str, done: int, total: int) -> None:
        if service.stopping:
            raise NotReady("stopped while starting")
        service.report(f"the service is starting: {what.lower()}, {done} of {total}")
        progress(what, done, total)

    encoding = Encoding(settings, observer, launched=launched)
    threads = ForThreads(encoding, asyncio.get_running_loop())
    starting = asyncio.create_task(asyncio.to_thread(start, settings, threads, report, serve=serve, settle=settle))

    webhooks = list[Webhooks]()

    async def open_service() -> None:
        running = await asyncio.shield(starting)
        service.open(_backend(running, encoding))
        if render is not None and settings.webhooks:
            webhooks.append(Webhooks(service, running.store.webhooks, render))
            webhooks[0].begin()

    opening = asyncio.create_task(open_service())
    try:
        yield opening
    finally:
        service.drain()
        await encoding.aclose()  # what waits for it gets NotReady, and ends
        opening.cancel()
        for told in webhooks:
            await told.aclose()
        await asyncio.wait({starting})
        if starting.exception() is None:  # else `opening` raises it
            await asyncio.to_thread(starting.result().close)
        service.close()


def _backend(running: ServedCatalogue, encoding: Encoding) -> Backend:
    return Backend(
        encode=encoding.encode,
        intake=running.intake,
        products=running.store.products,
        feed=running.store.feed,
        jobs=running.store.jobs,
        fields=running.store.fields,
        answers=running.store.answers,
        open_image=running.store.images.open,
        manifests=running.manifests,
        uploads=running.uploads,
        trainer=running.trainer,
        activate=partial(activate, running.settings),
        trouble=encoding.trouble,
        process_ids=lambda: encoding.pool.pids,
        runtimes=lambda: encoding.pool.runtimes,
    )
