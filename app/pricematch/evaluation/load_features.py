"""From settings to the features of the postings of a catalogue."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pricematch.catalogue.features import Embeddings, Features, image_keys, parse_hashes
from pricematch.catalogue.postings import Catalogue
from pricematch.encoding.bootstrap import embed_colours
from pricematch.encoding.features import ColourHistogram
from pricematch.encoding.ingest import digest_images
from pricematch.evaluation.load_signals import load_signals, pictures
from pricematch.evaluation.signals import HashSignal, ImageSignal, Signal, TitleSignal
from pricematch.formats.csv_catalogue import CsvCatalogue
from pricematch.formats.image_folder import ImageFolder
from pricematch.progress import Progress
from pricematch.settings import Settings


def load_features(
    settings: Settings, content: CsvCatalogue, names: Sequence[str], embeddings: Path | None, progress: Progress
) -> tuple[Catalogue, list[Signal], Features]:
    """The postings of a catalogue, the signals over them, and their features for these.

    Args:
        settings: where pictures and encoder are.
        content: the catalogue file, all rows good.
        names: of the signals.
        embeddings: a NumPy file to take instead of encoding pictures.
        progress: is told what is being done.

    Raises:
        PricematchError: as `load_signals`.
    """
    catalogue, signals = load_signals(settings, content, names, embeddings, progress)
    images = pictures(settings, content.names())
    digests: Mapping[str, bytes] = {}
    if images is not None:
        digests, _ = digest_images(content.names(), images, workers=settings.workers, progress=progress)
    colours = load_colours(settings, content, images, progress) if "image" in names else None
    return catalogue, signals, features_from(signals, colours, [digests.get(it.image or "") for it in catalogue])


def load_colours(
    settings: Settings, content: CsvCatalogue, images: ImageFolder | None, progress: Progress
) -> Embeddings:
    """The colours of the postings' pictures, float32 [n, 256], zeros where there is no good one."""
    if images is None:
        return np.zeros((len(content.postings), ColourHistogram().dimension), np.float32)
    embedded = embed_colours(settings, content, images, progress)
    return embedded.embeddings_of([posting.posting_id for posting in content.postings])


def features_from(signals: Sequence[Signal], colours: Embeddings | None, images: Sequence[bytes | None]) -> Features:
    """The features of n postings for signals over them.

    Args:
        signals: some.
        colours: float32 [n, 256], zeros where there is no picture; None where no signal is of embeddings.
        images: the SHA-256 of each one's picture, None where it was not read.
    """
    count = len(images)
    titles: Sequence[str] = [""] * count
    hashes, embeddings = parse_hashes([None] * count), dict[str, Embeddings]()
    for signal in signals:
        match signal:
            case TitleSignal():
                titles = signal.titles
            case HashSignal():
                hashes = signal.hashes
            case ImageSignal():
                embeddings["image"] = np.zeros((count, signal.embeddings.shape[1]), np.float32)
                embeddings["image"][signal.rows] = signal.embeddings
    if colours is not None:
        embeddings["colours"] = colours
    return Features(titles, hashes, embeddings, image_keys(images))
