"""From Settings to what several verbs work with: catalogue, pictures, decoder, encoder, embeddings."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from pricematch.catalogue.image_features import EncoderInfo
from pricematch.catalogue.postings import Catalogue
from pricematch.encoding.decoder import DECODING, PillowDecoder
from pricematch.encoding.features import BINS, ColourHistogram
from pricematch.encoding.ingest import EmbeddedImages, check_images, embed_images
from pricematch.encoding.picture_encoder import DecodingEmbedder, PictureEncoder
from pricematch.encoding.precision import resolve_precision
from pricematch.encoding.quiet_tensorflow import import_tensorflow
from pricematch.errors import CatalogueError, ImageError, ImageUnavailable, SettingsError
from pricematch.formats.atomic_writes import make_folder
from pricematch.formats.csv_files import CsvCatalogue, read_csv
from pricematch.formats.embedding_file import EmbeddingFile
from pricematch.formats.image_folder import ImageFolder
from pricematch.formats.manifest import Artefact, find_chain, side_of_pixels
from pricematch.formats.posting_rows import RowLimits
from pricematch.matching.similarity import SimilaritySearch
from pricematch.progress import Progress
from pricematch.settings import Settings

_log = logging.getLogger("pricematch")
_KEPT = "embeddings"
_COLOURS_SIDE = 128
"""Pixels a side that colours are counted in: many enough for their shares, and quick to decode."""
Judge: TypeAlias = Callable[[Mapping[str, ImageError]], None]
"""Told by name why pictures are bad; may refuse."""


def read_catalogue(settings: Settings) -> CsvCatalogue:
    """The catalogue file; bad rows are in its `problems`. Raises CatalogueError."""
    return read_csv(settings.catalogue, RowLimits(settings.max_catalogue_rows, settings.max_csv_row_bytes))


def image_folder(settings: Settings) -> ImageFolder:
    """The pictures the catalogue names; raises SettingsError if there is no such folder."""
    if not settings.images.is_dir():
        raise SettingsError(
            f"expected a folder of pictures, got {settings.images}, which is not a folder; name yours with --images"
        )
    return ImageFolder(settings.images, settings.max_image_bytes)


def decoder(settings: Settings, side: int) -> PillowDecoder:
    """The one decoder, for pixels of this side."""
    return PillowDecoder(side, settings.max_pixels, settings.min_image_side)


def embed_catalogue(settings: Settings, progress: Progress) -> SimilaritySearch:
    """Read the catalogue, load the encoder, embed the pictures that are not kept from before.

    Raises:
        CatalogueError, ArtefactError, ModelOutputError, SettingsError: says why it cannot be.
    """
    content = read_catalogue(settings)

    def judge(errors: Mapping[str, ImageError]) -> None:
        skip_or_refuse(content, errors, skip=settings.skip_bad_images)

    return embed_postings(settings, content, judge, progress)


def embed_postings(settings: Settings, content: CsvCatalogue, judge: Judge, progress: Progress) -> SimilaritySearch:
    """Load the encoder, and embed the pictures of postings that are not kept from before.

    Args:
        settings: where pictures and encoder are.
        content: the postings; those whose picture is good are in the answer.
        judge: told why the others are not; may refuse.
        progress: told what is being done.

    Raises:
        CatalogueError, ArtefactError, ModelOutputError, SettingsError: says why it cannot be.
    """
    artefacts = find_artefacts(settings)
    images, decode = image_folder(settings), decoder(settings, side_of_pixels(artefacts[0]))
    if content.problems:
        errors = check_images(content.names(), images, decode, workers=settings.workers, progress=progress)
        content.refuse([*content.problems, *content.image_problems(errors)])
    make_folder(settings.data / _KEPT)
    return _embed(settings, content, images, load_encoder(settings, artefacts, progress), judge, progress)


def load_encoder(settings: Settings, artefacts: Sequence[Artefact], progress: Progress) -> PictureEncoder:
    """Load an encoder into this process, and exercise it; raises ArtefactError, ModelOutputError."""
    # the only imports of TensorFlow on this route; everything that can fail without it has been tried
    progress("Loading models", 0, 1)
    import_tensorflow()
    from pricematch.encoding.saved_model import SavedModelEncoder

    precision = resolve_precision(settings.precision)
    encoder = SavedModelEncoder(list(artefacts), precision)
    progress("Loading models", 1, 1)
    decode = decoder(settings, side_of_pixels(artefacts[0]))
    embedder = DecodingEmbedder(decode, encoder)
    return PictureEncoder(_key(artefacts, precision), embedder, artefacts[-1].manifest.threshold)


def colour_encoder(settings: Settings) -> PictureEncoder:
    """What counts the colours of pictures."""
    key = f"colours-{BINS}-{_COLOURS_SIDE}-decoding{DECODING}"
    return PictureEncoder(key, DecodingEmbedder(decoder(settings, _COLOURS_SIDE), ColourHistogram()))


def embed_colours(
    settings: Settings, content: CsvCatalogue, images: ImageFolder, progress: Progress
) -> SimilaritySearch:
    """Count the colours of the pictures of postings that are not kept from before.

    Pictures that are bad are left out without a word: whoever needs the embeddings of an encoder beside them has told
    of them.

    Args:
        settings: limits, and where to keep them.
        content: the postings; those whose picture is good are in the answer.
        images: their pictures.
        progress: told what is being done.

    Raises:
        SettingsError: the data folder cannot be written to.
    """
    make_folder(settings.data / _KEPT)
    return _embed(settings, content, images, colour_encoder(settings), lambda _: None, progress)


def _embed(
    settings: Settings,
    content: CsvCatalogue,
    images: ImageFolder,
    encoder: PictureEncoder,
    judge: Judge,
    progress: Progress,
) -> SimilaritySearch:
    store = EmbeddingFile(settings.data / _KEPT, encoder.key, encoder.dimension)
    embedded = embed_images(content.names(), images, encoder, store, workers=settings.workers, progress=progress)
    judge(embedded.errors)
    catalogue, rows = _good(content, embedded)
    counts = len(catalogue), len(embedded.embeddings), embedded.encoded
    _log.info("%s: %d postings, %d pictures, %d encoded now", _label(encoder), *counts)
    info = EncoderInfo(encoder.key, encoder.versions, encoder.dimension, encoder.threshold)
    return SimilaritySearch.of(info, catalogue, embedded.embeddings[rows])


def _label(encoder: PictureEncoder) -> str:
    """Name and version of the last model involved; of what is none, the name its embeddings are kept under."""
    *_, label = [encoder.key.partition("-")[0], *(f"{name}/{version}" for name, version in encoder.versions.items())]
    return label


def skip_or_refuse(content: CsvCatalogue, errors: Mapping[str, ImageError], *, skip: bool) -> None:
    """Refuse bad rows and pictures; bad pictures are only told of where they are to be skipped and some are good."""
    problems = content.image_problems(errors)
    unavailable = all(isinstance(error, ImageUnavailable) for error in errors.values())
    if errors and unavailable and len(problems) == len(content.postings) and not content.problems:
        first = problems[0]
        raise CatalogueError(
            f"{content.path}: none of its pictures is there; is it another folder? The first is {first}"
        )
    if content.problems or not skip or len(problems) == len(content.postings):
        content.refuse([*content.problems, *problems])
    for problem in problems:
        _log.warning("skipped %s", problem)
    if problems:
        _log.warning("skipped %d of %d postings whose picture is bad", len(problems), len(content.postings))


def find_artefacts(settings: Settings) -> list[Artefact]:
    """The encoder's artefacts, verified, without loading them; raises ArtefactError."""
    return find_chain(settings.models, settings.encoder, settings.encoder_version)


def _good(content: CsvCatalogue, embedded: EmbeddedImages) -> tuple[Catalogue, list[int]]:
    """The postings whose picture is good, and the row of each one's embedding."""
    rows = [embedded.rows.get(posting.image or "") for posting in content.postings]
    good = [(posting, row) for posting, row in zip(content.postings, rows, strict=True) if row is not None]
    return Catalogue([posting for posting, _ in good]), [row for _, row in good]


def _key(artefacts: Sequence[Artefact], precision: str) -> str:
    """Names everything an embedding depends on beside its picture."""
    weights = "-".join(artefact.manifest.weights_digest[:16] for artefact in artefacts)
    return f"{artefacts[-1].manifest.name}-{weights}-{precision}-frozen-decoding{DECODING}"
