"""From Settings to what several verbs work with: catalogue, images, decoder, encoder, embeddings."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from pricematch.catalogue.features import EncoderInfo
from pricematch.catalogue.postings import Catalogue
from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.encoders import (
    COLOURS,
    colours_spec,
    encoder_spec,
    find_artefacts,
    resolve_precision,
)
from pricematch.encoding.ingest import check_images
from pricematch.encoding.stored_images import EmbeddedImages, ImageEncoder, embed_images
from pricematch.errors import CatalogueError, ImageError, ImageUnavailable, SettingsError
from pricematch.formats.array_files import EmbeddingFile
from pricematch.formats.atomic_writes import make_folder
from pricematch.formats.csv_files import CsvCatalogue, read_csv
from pricematch.formats.image_folder import ImageFolder
from pricematch.formats.posting_rows import RowLimits, TextFormat
from pricematch.matching.similarity import SimilaritySearch
from pricematch.progress import Progress
from pricematch.settings import Settings

_log = logging.getLogger("pricematch")
_KEPT = "embeddings"
_ANY_SIDE = 32
_OnErrors: TypeAlias = Callable[[Mapping[str, ImageError]], None]
"""Gets the errors of bad images by name; may refuse."""


def read_catalogue(settings: Settings) -> CsvCatalogue:
    """The catalogue file; bad rows are in its `problems`, and what is odd in it is logged. Raises CatalogueError."""
    content = read_csv(settings.catalogue, *row_format(settings))
    for warning in content.warnings:
        _log.warning("%s: %s", content.path, warning)
    if any(warning.startswith(("label_group", "posting_id")) for warning in content.warnings):
        _log.warning("`pricematch check %s` says more", content.path)
    return content


def read_to_learn(settings: Settings) -> CsvCatalogue:
    """The catalogue file as `read_catalogue`, without labels that are no truth, whose count is logged."""
    content = read_catalogue(settings)
    learnable = content.without_rounded_labels()
    pairs = zip(content.postings, learnable.postings, strict=True)
    if count := sum(before.label_group != after.label_group for before, after in pairs):
        _log.warning("%s: nothing is learned from the rounded labels of %d postings", content.path, count)
    return learnable


def row_format(settings: Settings) -> tuple[RowLimits, TextFormat]:
    """How files of postings are read: their limits, encoding and delimiter."""
    limits = RowLimits(settings.max_catalogue_rows, settings.max_csv_row_bytes)
    return limits, TextFormat(settings.csv_encoding, settings.csv_delimiter)


def image_folder(settings: Settings) -> ImageFolder:
    """The images the catalogue names; raises SettingsError if there is no such folder."""
    if not settings.images.is_dir():
        raise SettingsError(
            f"expected a folder of images, got {settings.images}, which is not a folder; name yours with --images"
        )
    return ImageFolder(settings.images, settings.max_image_bytes)


def decoder(settings: Settings, side: int) -> PillowDecoder:
    """The one decoder, for pixels of this side."""
    return PillowDecoder(side, settings.max_pixels, settings.min_image_side, settings.max_scans)


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
    artefacts = find_artefacts(settings)
    images, spec = image_folder(settings), encoder_spec(settings, artefacts)
    _refuse_bad_rows(settings, content, images, progress)
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
    return SimilaritySearch.of(info, catalogue, embedded.embeddings[rows])


def skip_or_refuse(content: CsvCatalogue, errors: Mapping[str, ImageError], *, skip: bool) -> None:
    """Refuse bad rows and images; bad images are only logged where they are to be skipped and some are good."""
    problems = content.image_problems(errors)
    unavailable = all(isinstance(error, ImageUnavailable) for error in errors.values())
    if errors and unavailable and len(problems) == len(content.postings) and not content.problems:
        first = problems[0]
        raise CatalogueError(f"{content.path}: none of its images is there; is it another folder? The first is {first}")
    if content.problems or not skip or len(problems) == len(content.postings):
        content.refuse([*content.problems, *problems])
    for problem in problems:
        _log.warning("skipped %s", problem)
    if problems:
        _log.warning("skipped %d of %d postings whose image is bad", len(problems), len(content.postings))


def _good(content: CsvCatalogue, embedded: EmbeddedImages) -> tuple[Catalogue, list[int]]:
    """The postings whose image is good, and the row of each one's embedding."""
    rows = [embedded.rows.get(posting.image or "") for posting in content.postings]
    good = [(posting, row) for posting, row in zip(content.postings, rows, strict=True) if row is not None]
    return Catalogue([posting for posting, _ in good]), [row for _, row in good]
