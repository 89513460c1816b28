"""Starts a service in a thread: its store is opened, filled and followed until the service stops."""

import logging
from functools import partial

from pricematch.catalogue.postings import Catalogue
from pricematch.encoding.blocking import BlockingEncoding
from pricematch.encoding.stored_images import StoredImages
from pricematch.encoding.versions import CNN
from pricematch.errors import ImageError, PricematchError
from pricematch.formats.manifest import digest_of_file
from pricematch.progress import Progress
from pricematch.serving.catalogue_whitening import CatalogueWhitening
from pricematch.serving.initial_load import Source, is_empty, load_catalogue, loaded_from, read_source
from pricematch.serving.models import ChosenModels, LoadedModels, choose_models, load_models
from pricematch.serving.served_catalogue import ServedCatalogue, has_images
from pricematch.serving.shared import Turns
from pricematch.serving.snapshot_builder import SnapshotBuilder, read_postings
from pricematch.settings import Settings
from pricematch.store.sqlite.store import DATABASE, Store, open_store

_log = logging.getLogger("pricematch")
_REST = 10
"""So many times as long as scoring all takes, nothing is scored anew because of a few changes."""


def start(
    settings: Settings,
    encoding: BlockingEncoding,
    progress: Progress,
    *,
    serve: bool = True,
    settle: bool = False,
    turns: Turns | None = None,
) -> ServedCatalogue:
    """Open the store, fill it if it is empty, and make it ready to answer.

    Args:
        settings: of the service.
        encoding: encodes the images of the catalogue.
        progress: called with what is being done.
        serve: whether no other process may serve the store meanwhile.
        settle: whether it whitens the default encoder first where that is due, instead of once it answers.
        turns: of the catalogues that the process serves; None: it is the only one.

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
        return _started(settings, store, source, encoding, progress, whitening, turns or Turns(), settle=settle)
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
    turns: Turns,
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
        loaded = load(images=has_images(store))
    if loaded.lacking is not None:
        later = "; once there are images, a start needs it" if settings.encoder == CNN else ""
        text = "the default matcher goes without its encoder and compares by hash and title alone%s: %s"
        _log.warning(text, later, loaded.lacking)
    if settle and whitening is not None and _whitened(whitening, store, chosen, loaded):
        chosen = choose_models(settings, chosen.active)
        loaded = load_models(chosen, partial(encoding.load, progress=progress), progress, images=True)
        encoding.retain(loaded.encoders)
    build = SnapshotBuilder(settings, store, images, loaded, progress)
    return ServedCatalogue(settings, store, images, chosen, build, encoding, whitening, turns)


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
