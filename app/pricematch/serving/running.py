"""A catalogue that is served: opened, filled, followed, and judged anew once in a while."""

import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from threading import Event, Thread

from pricematch.api.state import Kept, Ready
from pricematch.encoding.batch_observer import BatchObserver
from pricematch.encoding.batching import Batcher
from pricematch.encoding.bootstrap import decoder
from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.perceptual_hash import HASHING, PerceptualHasher
from pricematch.encoding.processes import EncoderProcesses, starts
from pricematch.errors import ImageError, PricematchError
from pricematch.formats.manifest import digest_of_file
from pricematch.progress import Progress
from pricematch.serving.arriving import ImportDesk
from pricematch.serving.held import Chosen, Encoding, choose, hold
from pricematch.serving.importing import JOBS, Importer
from pricematch.serving.intake import Intake
from pricematch.serving.live_catalogue import FEW, LiveCatalogue
from pricematch.serving.models import activate
from pricematch.serving.reading import Reading
from pricematch.serving.seeding import Source, is_empty, read_source, seed, seeded_from
from pricematch.serving.stored_pictures import StoredPictures, silent
from pricematch.settings import Settings
from pricematch.store.job_files import JobFiles
from pricematch.store.sqlite.opening import DATABASE
from pricematch.store.sqlite.store import Store, open_store

_log = logging.getLogger("pricematch")
_ANY_SIDE = 32
_REST = 10
"""So many times as long as judging all takes, nothing is judged anew because of a few changes."""


class Running:
    """A store that is served. Safe to use from several threads.

    Args:
        settings: what was given at the start.
        store: what is kept.
        pictures: what its pictures are compared by.
        chosen: the models that are held.
        read: reads everything with them.
        decode: reads pictures.
        encoding: encodes for the models.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        pictures: StoredPictures,
        chosen: Chosen,
        read: Reading,
        decode: PillowDecoder,
        encoding: Encoding,
    ) -> None:
        self._settings, self._store, self._pictures, self._decoder = settings, store, pictures, decode
        self._encoding = encoding
        self._active: Mapping[str, str] = chosen.active
        started = time.monotonic()
        self._read = Reading(settings, store, pictures, read.held, silent, anew=True)
        self.live = LiveCatalogue(store.postings, pictures, self._read, read(), FEW)
        self._rest_until = self._rested(started)
        self._intake = Intake(store.postings, store.verdicts, pictures, self.live)
        files = JobFiles(settings.data / JOBS)
        desk = ImportDesk(settings, store, files)
        stores = (store.postings, store.verdicts, store.jobs, store.models)
        self._kept = Kept(*stores, self._intake, desk, partial(activate, settings))
        self._importer = Importer(settings, store, self._intake, files)
        self._tell_of_named()
        self._stop = Event()
        self._thread = Thread(target=self._watch, daemon=True, name="follow")
        self._thread.start()

    def ready(self) -> Ready:
        """What to answer a request with."""
        current = self.live.current
        manifests = self._read.held.manifests
        return Ready(current.matcher, self._store.images, self._decoder, current.version, self._kept, manifests)

    def trouble(self) -> str | None:
        """Why pictures cannot be encoded now; None if they can."""
        return self._encoding.batcher.trouble()

    def encoders(self) -> Sequence[int]:
        """Ids of the processes that encode."""
        return self._encoding.processes.ids()

    def close(self) -> None:
        """Stop following, and let others serve the store."""
        self._stop.set()
        self._importer.close()
        self._encoding.close()
        self._thread.join()
        self._store.close()

    def tick(self) -> None:
        """Take in what other processes have changed, and do what is due.

        Raises:
            PricematchError: something cannot be done now; what is served stays.
        """
        current = self.live.follow()
        active = self._store.models.active()
        if active != self._active:
            self._active = active  # if it fails, it is not tried again and again
            self._take(choose(self._settings, active))
        elif current.stale or (current.changed and time.monotonic() > self._rest_until):
            self._rebuild(self._read)

    def _watch(self) -> None:
        while not self._stop.wait(self._settings.follow_seconds):
            try:
                self.tick()
            except PricematchError as error:
                _log.error("%s", error)
            except Exception:  # noqa: BLE001 — whatever it is, what is served stays, and the next look may do better
                _log.exception("the catalogue could not be brought up to date")

    def _take(self, chosen: Chosen) -> None:
        """Serve with other models, once all is embedded and judged with them."""
        held = hold(chosen, self._encoding, silent, pictured=self._store.postings.pictured())
        self._read = Reading(self._settings, self._store, self._pictures, held, silent, anew=True)
        self._rebuild(self._read)
        _log.info("now serving %s", ", ".join(f"{name}/{version}" for name, version in self.models.items()))
        self._tell_of_named()

    def _tell_of_named(self) -> None:
        """Warn where a version was activated and settings name another: nobody should wait for it."""
        for name, version in self.models.items():
            if (active := self._active.get(name, version)) != version:
                told = "%s/%s is active, but %s/%s serves: the settings, or the matcher, name it"
                _log.warning(told, name, active, name, version)

    def _rebuild(self, read: Reading) -> None:
        started = time.monotonic()
        current = self.live.rebuild(read)
        self._rest_until = self._rested(started)
        _log.info("version %d was read anew in %.1f s", current.version, time.monotonic() - started)

    @property
    def models(self) -> Mapping[str, str]:
        """Version by name of the models that answer."""
        matcher = self.live.current.matcher
        found = dict(matcher.judge_versions)
        for embedded in matcher.encoders.values():
            found |= embedded.versions
        return found

    @staticmethod
    def _rested(started: float) -> float:
        now = time.monotonic()
        return now + _REST * (now - started)


def start(settings: Settings, progress: Progress, observer: BatchObserver | None = None) -> Running:
    """Open the store, fill it if it is empty, and make it ready to answer.

    Args:
        settings: what was given.
        progress: told what is being done.
        observer: told of the batches that are encoded.

    Raises:
        PricematchError: says why it cannot be.
    """
    source: Source | None = None
    if not (settings.data / DATABASE).exists() and _names_catalogue(settings):
        source = read_source(settings, choose(settings, {}), progress)  # before anything is made
    store = open_store(settings.data, serve=True)
    batcher = Batcher(
        threads=settings.workers,
        max_waiting=settings.max_waiting_images,
        hang_seconds=2 * settings.request_seconds,  # a process that hangs is ended before
        observer=observer,
    )
    encoding = Encoding(batcher, EncoderProcesses(starts(settings.workers), settings.request_seconds))
    try:
        return _started(settings, store, source, encoding, progress)
    except BaseException:
        encoding.close()
        store.close()
        raise


def _started(
    settings: Settings, store: Store, source: Source | None, encoding: Encoding, progress: Progress
) -> Running:
    chosen, decode = choose(settings, store.models.active()), decoder(settings, _ANY_SIDE)
    seeded = seeded_from(store)
    if source is None and _names_catalogue(settings) and is_empty(store):
        source = read_source(settings, chosen, progress)
    pictures = StoredPictures(
        store.images, store.computed, PerceptualHasher(decode), HASHING, settings.workers, _tell_of_bad
    )
    if source is not None:
        held = hold(chosen, encoding, progress, pictured=source.images is not None)
        seed(store, source, held, pictures, settings, progress)
    else:
        _tell_of_changed(settings, seeded)
        held = hold(chosen, encoding, progress, pictured=store.postings.pictured())
    return Running(
        settings, store, pictures, chosen, Reading(settings, store, pictures, held, progress), decode, encoding
    )


def _names_catalogue(settings: Settings) -> bool:
    return "catalogue" in settings.model_fields_set or settings.catalogue.exists()


def _tell_of_changed(settings: Settings, seeded: str | None) -> None:
    """Warn where the catalogue file is not what the store was filled from: nobody should wait for its postings."""
    if settings.catalogue.is_file() and digest_of_file(settings.catalogue) != seeded:
        _log.warning(
            "%s is not what %s was filled from; what is stored is served. POST /postings/import takes its rows in",
            settings.catalogue,
            settings.data,
        )


def _tell_of_bad(digest: bytes, error: ImageError) -> None:
    _log.warning("the stored picture %s cannot be used: %s", digest.hex(), error)
