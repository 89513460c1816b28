"""From Settings to what several verbs embed images with: encoder, and embeddings that are kept."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np

from pricematch.catalogue.features import Embeddings, EncoderInfo
from pricematch.catalogue.layers import Layer, in_layers
from pricematch.catalogue.postings import Catalogue
from pricematch.encoding.catalogue_files import image_folder, skip_or_refuse
from pricematch.encoding.decoder import decoder
from pricematch.encoding.encoders import (
    COLOURS,
    colours_spec,
    encoder_spec,
    find_artefacts,
    resolve_precision,
)
from pricematch.encoding.ingest import check_images
from pricematch.encoding.offline_whitening import whiten_offline
from pricematch.encoding.stored_images import EmbeddedImages, ImageEncoder, embed_images
from pricematch.errors import ImageError
from pricematch.formats.array_files import EmbeddingFile
from pricematch.formats.atomic_writes import make_folder
from pricematch.formats.csv_files import CsvCatalogue
from pricematch.formats.image_folder import ImageFolder
from pricematch.matching.similarity import SimilaritySearch
from pricematch.progress import Progress
from pricematch.settings import Settings

_log = logging.getLogger("pricematch")
_KEPT = "embeddings"
_ANY_SIDE = 32
_OnErrors: TypeAlias = Callable[[Mapping[str, ImageError]], None]
"""Gets the errors of bad images by name; may refuse."""


def embed_catalogue(settings: Settings, content: CsvCatalogue, progress: Progress) -> SimilaritySearch:
    """Load the encoder, and embed those images of a catalogue file that are not kept from before.

    Raises:
        CatalogueError, ArtefactError, ModelOutputError, SettingsError: it cannot be embedded.
    """
    on_errors = partial(skip_or_refuse, content, skip=settings.skip_bad_images)
    return embed_postings(settings, content, on_errors, progress)


def embed_postings(
    settings: Settings, content: CsvCatalogue, on_errors: _OnErrors, progress: Progress
) -> SimilaritySearch:
    """Load the encoder, and embed the images of postings that are not kept from before.

    Args:
        settings: where images and encoder are.
        content: the postings; those whose image is good are in the result.
        on_errors: gets why the others are not; may refuse.
        progress: gets what is being done.

    Raises:
        CatalogueError, ArtefactError, ModelOutputError, SettingsError: it cannot be embedded.
    """
    find_artefacts(settings)  # before anything is read
    images = image_folder(settings)
    _refuse_bad_rows(settings, content, images, progress)
    whiten_offline(settings, content.names(), images, progress)
    artefacts = find_artefacts(settings)
    spec = encoder_spec(settings, artefacts)
    _make_kept(settings)
    progress("Loading models", 0, 1)
    # here, where everything that can fail without a network has been tried
    from pricematch.encoding.exported_encoder import ExportedEncoder

    network = ExportedEncoder(artefacts, resolve_precision(settings.precision), settings.workers)
    progress("Loading models", 1, 1)
    encoder = ImageEncoder(spec.key, decoder(settings, spec.side), network, spec.threshold)
    return _embed(settings, content, images, encoder, on_errors, progress)


def _make_kept(settings: Settings) -> None:
    """Make the folder of embeddings, for its owner alone as the store beside it; raises SettingsError."""
    for folder in (settings.data, settings.data / _KEPT):
        make_folder(folder, 0o700)


def _refuse_bad_rows(settings: Settings, content: CsvCatalogue, images: ImageFolder, progress: Progress) -> None:
    """Raise CatalogueError if there are bad rows, and name bad images in it, too."""
    if content.problems:
        decode = decoder(settings, _ANY_SIDE)
        errors = check_images(content.names(), images, decode, workers=settings.workers, progress=progress)
        content.refuse([*content.problems, *content.image_problems(errors)])


def embed_colours(
    settings: Settings, content: CsvCatalogue, images: ImageFolder, version: str, progress: Progress
) -> SimilaritySearch:
    """Count the colours of the images of postings that are not kept from before.

    Bad images are left out silently: embedding them by an encoder reports them.

    Args:
        settings: limits, and where to keep them.
        content: the postings; those whose image is good are in the result.
        images: their images.
        version: of the histograms, see `COLOURS`.
        progress: gets what is being done.

    Raises:
        SettingsError: the data folder cannot be written to.
    """
    _make_kept(settings)
    spec = colours_spec(version)
    colours = ImageEncoder(spec.key, decoder(settings, spec.side), COLOURS[version])
    return _embed(settings, content, images, colours, lambda _: None, progress)


def _embed(
    settings: Settings,
    content: CsvCatalogue,
    images: ImageFolder,
    encoder: ImageEncoder,
    on_errors: _OnErrors,
    progress: Progress,
) -> SimilaritySearch:
    store = EmbeddingFile(settings.data / _KEPT, encoder.key, encoder.encoder.dimension)
    embedded = embed_images(content.names(), images, encoder, store, workers=settings.workers, progress=progress)
    on_errors(embedded.errors)
    catalogue, rows = _good(content, embedded)
    versions = [f"{name}/{version}" for name, version in encoder.encoder.versions.items()]
    label = versions[-1] if versions else encoder.key.partition("-")[0]
    counts = len(catalogue), len(embedded.embeddings), embedded.encoded
    _log.info("%s: %d postings, %d images, %d encoded now", label, *counts)
    info = EncoderInfo(encoder.key, encoder.encoder.versions, encoder.encoder.dimension, encoder.threshold)
    return SimilaritySearch.of(info, catalogue, embedded.embeddings[rows], more=_more(catalogue, embedded))


def _good(content: CsvCatalogue, embedded: EmbeddedImages) -> tuple[Catalogue, list[int]]:
    """The postings whose first image is good, and the row of each one's embedding."""
    rows = [embedded.rows.get(posting.image or "") for posting in content.postings]
    good = [(posting, row) for posting, row in zip(content.postings, rows, strict=True) if row is not None]
    return Catalogue([posting for posting, _ in good]), [row for _, row in good]


def _more(catalogue: Catalogue, embedded: EmbeddedImages) -> Sequence[Layer[Embeddings]]:
    """The embeddings of the images of postings behind the first; zeros for bad ones."""

    def vectors(names: Sequence[str | None]) -> Embeddings:
        found = np.zeros((len(names), embedded.embeddings.shape[1]), np.float32)
        for place, name in enumerate(names):
            if name is not None and name in embedded.rows:
                found[place] = embedded.embeddings[embedded.rows[name]]
        return found

    several = any(posting.more_images for posting in catalogue)
    return in_layers([posting.images for posting in catalogue], vectors).more if several else ()
