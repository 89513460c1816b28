"""Features of the postings of a catalogue file, loaded by settings."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pricematch.catalogue.evidence import EvidenceFields
from pricematch.catalogue.features import Embeddings, Features
from pricematch.catalogue.fields import Field
from pricematch.catalogue.layers import Layered
from pricematch.catalogue.postings import Catalogue, Posting
from pricematch.encoding.bootstrap import embed_colours, embed_postings
from pricematch.encoding.catalogue_files import find_images, skip_or_refuse
from pricematch.encoding.decoder import decoder
from pricematch.encoding.encoders import COLOURS
from pricematch.encoding.features import matching_hash
from pricematch.encoding.ingest import digest_images, each_image
from pricematch.errors import CatalogueError, ImageError, SettingsError
from pricematch.evaluation.labelled import embedded
from pricematch.evaluation.several_images import hashed, layered_embeddings, spread, with_keys
from pricematch.evaluation.signals import SIGNALS
from pricematch.formats.csv_files import CsvCatalogue
from pricematch.formats.image_folder import ImageFolder
from pricematch.formats.matcher_files import LoadedMatcher
from pricematch.progress import Progress
from pricematch.settings import Settings

_log = logging.getLogger("pricematch")
ANY_SIDE = 32
"""Of a decoder of which whole images alone are used."""


def parse_signals(text: str) -> tuple[str, ...]:
    """Names of signals with commas between them, each once; raises SettingsError."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name not in SIGNALS]
    if unknown:
        known = ", ".join(SIGNALS)
        raise SettingsError(f"--signals: expected some of {known}, with commas between them, got {unknown[0]!r}")
    return names


def check_embeddings(names: Sequence[str], embeddings: Path | None) -> None:
    """Raise SettingsError where a file of embeddings is given that no signal needs."""
    if embeddings is not None and "image" not in names:
        raise SettingsError(f"--embeddings: expected image among the signals, got --signals {','.join(names)}")


def matcher_signals(settings: Settings, content: CsvCatalogue, loaded: LoadedMatcher) -> tuple[str, ...]:
    """The signals that a matcher compares postings by.

    A trained one compares by all it was trained with; the default one by what there is.
    """
    signals = loaded.model.signals
    if loaded.trained_on is not None:
        return signals
    there = signals_there(settings, content)
    return tuple(signal for signal in signals if signal in there)


def signals_there(settings: Settings, content: CsvCatalogue) -> tuple[str, ...]:
    """The signals that the postings of a catalogue file have something for."""
    images = any(it.image is not None for it in content.postings) and find_images(settings, content.names()) is not None
    there = {
        "hash": images or any(it.image_phash is not None for it in content.postings),
        "title": any(it.title for it in content.postings),
        "image": images,
    }
    return tuple(signal for signal in SIGNALS if there[signal])


def with_nothing_for_lacking(features: Features, loaded: LoadedMatcher) -> Features:
    """Features for a matcher: embeddings that it takes and none has are zeros, as of postings without an image."""
    lacking = {"image", "colours"} - set(features.embeddings) if "image" in loaded.model.signals else set()
    zeros = features.image_keys.made(lambda keys: np.zeros((len(keys), 1), np.float32))
    return features.with_embeddings({**layered_embeddings(features), **dict.fromkeys(sorted(lacking), zeros)})


def with_evidence(features: Features, catalogue: Catalogue, fields: Sequence[Field]) -> Features:
    """Features with what the postings of a catalogue have in evidence fields."""
    values = EvidenceFields.every(fields).values([posting.metadata for posting in catalogue])
    return replace(features, evidence=values)


def load_features(
    settings: Settings,
    content: CsvCatalogue,
    names: Sequence[str],
    embeddings: Path | None,
    progress: Progress,
    colours: str,
) -> tuple[Catalogue, Features]:
    """As `load_signal_features`, image keys and colours included, in a version of `pricematch.encoding.encoders`."""
    catalogue, features = load_signal_features(settings, content, names, embeddings, progress)
    images = find_images(settings, content.names())
    digests: Mapping[str, bytes] = {}
    if images is not None:
        digests, _ = digest_images(content.names(), images, workers=settings.workers, progress=progress)
    features = with_keys(features, catalogue, digests)
    if "image" not in names:
        return catalogue, features
    if images is None:
        counted = features.image_keys.made(lambda keys: np.zeros((len(keys), COLOURS[colours].dimension), np.float32))
    else:
        found = embed_colours(settings, content, images, colours, progress)
        counted = spread(found.catalogue, found.images, catalogue)
    return catalogue, features.with_embeddings({**layered_embeddings(features), "colours": counted})


def load_signal_features(
    settings: Settings, content: CsvCatalogue, names: Sequence[str], embeddings: Path | None, progress: Progress
) -> tuple[Catalogue, Features]:
    """The postings of a catalogue file, all rows good, and the features that some signals retrieve by, no others.

    Hashes are those of the column `image_phash`; where it has none, they are computed from the images. Images are
    encoded, unless there is a NumPy file of embeddings. A posting without what a signal is computed from stays, and has
    no candidates by it.

    Raises:
        SettingsError: something that a signal is computed from is missing.
        CatalogueError: no image can be hashed.
        PricematchError: as `embedded`.
    """
    if "title" in names and not any(posting.title for posting in content.postings):
        raise SettingsError(f"signal title: {content.path} has no titles")
    hashes = _hashes(settings, content, progress) if "hash" in names else {}
    more_hashes = _more_hashes(settings, content, progress) if "hash" in names else {}
    catalogue = Catalogue(content.postings)
    vectors: dict[str, Layered[Embeddings]] = {}
    if "image" in names:
        vectors["image"] = spread(*_embedded(settings, content, embeddings, progress), catalogue)
    titles = [posting.title if "title" in names else "" for posting in catalogue]
    texts = [[hashes.get(it.posting_id), *map(more_hashes.get, it.more_images)] for it in catalogue]
    return catalogue, Features.shown(titles, hashed(texts, vectors))


def _embedded(
    settings: Settings, content: CsvCatalogue, embeddings: Path | None, progress: Progress
) -> tuple[Catalogue, Layered[Embeddings]]:
    """The postings that have an image, and the embeddings of these; of a file there is one a posting."""
    if embeddings is not None:
        given, vectors = embedded(settings, content, embeddings, progress)
        return given, Layered(vectors)
    part = content.with_images()
    if not part.postings:
        raise SettingsError(f"signal image: no posting of {content.path} names an image")

    def check(errors: Mapping[str, ImageError]) -> None:
        skip_or_refuse(part, errors, skip=settings.skip_bad_images)

    found = embed_postings(settings, part, check, progress)
    return found.catalogue, found.images


def _hashes(settings: Settings, content: CsvCatalogue, progress: Progress) -> dict[str, str]:
    """Hashes by posting_id, of the column or of the images."""
    known = {posting.posting_id: posting.image_phash for posting in content.postings if posting.image_phash is not None}
    lacking = [posting for posting in content.postings if posting.image_phash is None]
    if not lacking:
        return known
    images = find_images(settings, content.names())
    if images is None:
        _refuse_or_warn(content, lacking)
        return known
    names = list(dict.fromkeys(posting.image for posting in lacking if posting.image is not None))
    computed, errors = _hash_images(settings, names, images, progress)
    known |= {posting.posting_id: computed[str(posting.image)] for posting in lacking if posting.image in computed}
    bad = [content.rows[row] for row, posting in enumerate(content.postings) if posting.posting_id not in known]
    problems = [problem for problem in content.image_problems(errors) if problem.row in set(bad)]
    if not known:
        content.refuse(problems)
    if problems:
        _log.warning("%s", CatalogueError(f"{content.path}: {len(problems)} postings without a hash", problems))
    return known


def _more_hashes(settings: Settings, content: CsvCatalogue, progress: Progress) -> dict[str, str]:
    """The hashes of images behind the first by name, of those that can be hashed."""
    names = list(dict.fromkeys(name for posting in content.postings for name in posting.more_images))
    images = find_images(settings, content.names()) if names else None
    return {} if images is None else _hash_images(settings, names, images, progress)[0]


def _refuse_or_warn(content: CsvCatalogue, lacking: Sequence[Posting]) -> None:
    """Without images: refuse hashes that could be computed from some, or where none is known; else warn of them."""
    named = [posting for posting in lacking if posting.image is not None]
    first = (named or lacking)[0]
    text = (
        f"{len(named or lacking)} of {len(content.postings)} postings of {content.path} have no image_phash, the first "
        f"in row {content.rows[content.postings.index(first)]}"
    )
    if named or len(lacking) == len(content.postings):
        raise SettingsError(f"signal hash: {text}; give --images to compute it from the images")
    _log.warning("%s, and no image to compute it from", text)


def _hash_images(
    settings: Settings, names: Sequence[str], images: ImageFolder, progress: Progress
) -> tuple[dict[str, str], dict[str, ImageError]]:
    """Hashes of images by name, and why the others have none."""
    decode = decoder(settings, ANY_SIDE)

    def compute(name: str) -> str:
        return matching_hash(decode.decoded(images.read(name)))

    return each_image(names, compute, "Hashing images", workers=settings.workers, progress=progress)
