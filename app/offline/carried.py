"""From settings to what the postings of a catalogue carry."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.adapters.csv_catalogue import CsvCatalogue
from app.adapters.image_folder import ImageFolder
from app.errors import ImageError
from app.matching.evidence.carried import Carried
from app.matching.hashes import parse_hashes
from app.matching.ingest import BATCH, Progress, thread_pool
from app.matching.postings import Catalogue
from app.matching.signals import HashSignal, ImageSignal, Signal, TitleSignal
from app.offline.signals import load_signals, pictures
from app.settings import Settings


def load_carried(
    settings: Settings, content: CsvCatalogue, names: Sequence[str], embeddings: Path | None, progress: Progress
) -> tuple[Catalogue, list[Signal], Carried]:
    """The postings of a catalogue, the signals over them, and what they carry for these.

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
    digests = {} if images is None else _digests(settings, content.names(), images, progress)
    return catalogue, signals, carried_by(signals, [digests.get(posting.image or "", 0) for posting in catalogue])


def carried_by(signals: Sequence[Signal], images: Sequence[int]) -> Carried:
    """What n postings carry for signals over them; `images` are keys of their pictures' bytes, 0 where unknown."""
    count = len(images)
    titles: Sequence[str] = [""] * count
    hashes, embeddings = parse_hashes([None] * count), None
    for signal in signals:
        match signal:
            case TitleSignal():
                titles = signal.titles
            case HashSignal():
                hashes = signal.hashes
            case ImageSignal():
                embeddings = np.zeros((count, signal.embeddings.shape[1]), np.float32)
                embeddings[signal.rows] = signal.embeddings
    return Carried(titles, hashes, embeddings, np.array(images, np.uint64))


def _digests(settings: Settings, names: Sequence[str], images: ImageFolder, progress: Progress) -> dict[str, int]:
    """The first 64 bits of the SHA-256 of pictures, by name; those that cannot be read are left out."""

    def read(name: str) -> tuple[str, int]:
        try:
            return name, int.from_bytes(hashlib.sha256(images.read(name)).digest()[:8], "big")
        except ImageError:
            return name, 0

    found, distinct = {}, list(dict.fromkeys(names))
    with thread_pool(settings.workers) as pool:
        for done, (name, key) in enumerate(pool.map(read, distinct), start=1):
            found[name] = key
            if done % BATCH == 0 or done == len(distinct):
                progress("Reading pictures", done, len(distinct))
    return found
