"""A store that is served: a thread follows its changes, and does what is due."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import Any

from pricematch.catalogue.feed import Position
from pricematch.catalogue.records import ModelChange
from pricematch.encoding.blocking import BlockingEncoding
from pricematch.encoding.stored_images import StoredImages
from pricematch.errors import NotReady, PricematchError
from pricematch.formats.default_matcher import NAME, DefaultManifest
from pricematch.pairs.default_model import TaughtScorer
from pricematch.progress import silent
from pricematch.serving.catalogue_whitening import CatalogueWhitening
from pricematch.serving.imports import Importer
from pricematch.serving.initial_load import is_empty
from pricematch.serving.intake import Intake
from pricematch.serving.models import ChosenModels, choose_models, load_models
from pricematch.serving.products import ProductKeeper
from pricematch.serving.shared import Turns
from pricematch.serving.snapshot import FEW
from pricematch.serving.snapshot_builder import SnapshotBuilder
from pricematch.serving.snapshots import Snapshots
from pricematch.serving.training_jobs import Trainer
from pricematch.serving.uploads import Uploads
from pricematch.settings import Settings
from pricematch.store.job_files import JobFiles
from pricematch.store.sqlite.store import JOBS, Store

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
        turns: Turns,
    ) -> None:
        self.settings, self.store, self._images, self._encoding = settings, store, images, encoding
        self._whitening, self._turn = whitening, turns.scoring
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
            self.trainer = Trainer(self._served_settings, store, self._described, self._keep_matcher, turns.training)
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
            with self._its_turn():
                self._take(choose_models(self.settings, active))
        elif self._whitening is not None and (images := self._whitening.due(served, self._build.models, active)):
            with self._its_turn():
                self._whitening.whiten(images, self._build.models)
                self._take(choose_models(self.settings, active))  # the newest, since none is activated
        elif current.stale or current.matcher.outdated or (current.changed and time.monotonic() > self._rest_until):
            with self._its_turn():
                self._rebuild()

    @contextmanager
    def _its_turn(self) -> Iterator[None]:
        """No other catalogue of this process is scored in the block; raises NotReady where it is to stop before."""
        with self._turn:
            if self._stop.is_set():
                raise NotReady("stopped before its turn came")
            yield

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
                if not self._stop.is_set():
                    _log.error("%s", error)
            except Exception:  # noqa: BLE001 — whatever it is, what is served stays, and the next look may do better
                _log.exception("the catalogue could not be brought up to date")

    def _take(self, chosen: ChosenModels) -> None:
        """Serve with other models, once all is encoded and scored with them."""
        loaded = load_models(chosen, self._encoding.load, silent, images=has_images(self.store))
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


def has_images(store: Store) -> bool | None:
    """Whether any posting has an image; None where nothing is stored yet, so that images may come."""
    return store.postings.has_images() or (None if is_empty(store) else False)
