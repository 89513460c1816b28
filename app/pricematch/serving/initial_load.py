"""The initial load: fills an empty store from a catalogue file and a folder of images."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pricematch.catalogue.features import Wanted
from pricematch.catalogue.feed import LASTING, Position
from pricematch.catalogue.job_records import Counts
from pricematch.catalogue.postings import Posting
from pricematch.catalogue.records import Put
from pricematch.encoding.catalogue_files import find_images, image_folder, read_catalogue, skip_or_refuse
from pricematch.encoding.ingest import ImagesByDigest, digest_images, each_image
from pricematch.encoding.ports import ImageSource
from pricematch.encoding.stored_images import Encode, StoredForms, StoredImages
from pricematch.errors import CatalogueError, ImageError
from pricematch.formats.csv_files import CsvCatalogue
from pricematch.formats.image_folder import ImageFolder
from pricematch.formats.manifest import digest_of_file
from pricematch.progress import Progress
from pricematch.serving.models import ChosenModels, LoadedModels
from pricematch.settings import MIB, Settings
from pricematch.store.sqlite.store import Store

_log = logging.getLogger("pricematch")
_AT_ONCE = 100
_BYTES_AT_ONCE = 32 * MIB
KIND = "seed"


@dataclass(frozen=True)
class Source:
    """A catalogue file whose rows are good, and its images.

    Attributes:
        content: the postings.
        images: of the postings; None where there are none.
    """

    content: CsvCatalogue
    images: ImageFolder | None


def read_source(settings: Settings, chosen: ChosenModels, encode: Encode, progress: Progress) -> Source:
    """The catalogue file; where similarity decides, every posting has to have an image.

    Args:
        settings: where file and images are.
        chosen: the models.
        encode: decodes images.
        progress: called with what is being done.

    Raises:
        CatalogueError: bad rows, reported together with bad images where these are needed.
        SettingsError: there is no folder of images.
    """
    content = read_catalogue(settings)
    if chosen.matcher is not None:
        content = content.by_id()
        content.refuse(content.problems)
        return Source(content, find_images(settings, content.names()))
    images = image_folder(settings)
    if content.problems:
        errors = _bad_images(content.names(), images, encode, workers=settings.workers, progress=progress)
        content.refuse([*content.problems, *content.image_problems(errors)])
    return Source(content, images)


def _bad_images(
    names: Sequence[str], images: ImageSource, encode: Encode, *, workers: int, progress: Progress
) -> Mapping[str, ImageError]:
    """Which images cannot be read or decoded, and why; they are decoded where that can be ended."""

    def check(name: str) -> None:
        [found] = encode([images.read(name)], Wanted())
        if isinstance(found, ImageError):
            raise found

    return each_image(names, check, "Checking images", workers=workers, progress=progress)[1]


def loaded_from(store: Store) -> str | None:
    """SHA-256 of the file that a store was filled from, hexadecimal; None where it never was, or not wholly."""
    done = [job for job in store.jobs.jobs() if job.kind == KIND and job.state == "done"]
    return None if not done else str(json.loads(done[-1].spec)["digest"])


def is_empty(store: Store) -> bool:
    """Whether no posting was ever stored, nor feedback, or no more than what a fill that broke off has left."""
    return not store.feed.changes(Position(0), 1, LASTING).changes or bool(store.jobs.unfinished(KIND))


def load_catalogue(
    store: Store, source: Source, models: LoadedModels, kept: StoredImages, settings: Settings, progress: Progress
) -> None:
    """Put all postings of a file into a store; what is stored before a kill is put again by the next start.

    Raises:
        CatalogueError: bad images, unless they are to be skipped.
        StoreError: they cannot be kept.
    """
    images = None if source.images is None else StoredForms(source.images, kept.encode)
    digests, errors = _read(source.content, images, models, kept, settings, progress)
    _refuse(source, models, errors, settings)
    job = store.jobs.create(KIND, json.dumps({"digest": digest_of_file(settings.catalogue)}))
    for earlier in store.jobs.unfinished(KIND):
        if earlier.job_id != job.job_id:  # it broke off, and this one puts all of it
            store.jobs.cancel(earlier.job_id)
    postings = [
        posting
        for posting in source.content.postings
        if models.matcher is not None or any(name in digests for name in posting.images)
    ]
    done, counts = 0, Counts()
    for batch in _batches(postings, images, digests):
        for put in store.postings.put(batch):
            counts += Counts(**{put.outcome: 1})
        done += len(batch)
        progress("Storing postings", done, len(postings))
    store.jobs.change(replace(job, state="done", done=done, total=done, counts=counts))
    _log.info("%d postings of %s are stored in %s", done, settings.catalogue, settings.data)


def _read(
    content: CsvCatalogue,
    images: ImageSource | None,
    models: LoadedModels,
    kept: StoredImages,
    settings: Settings,
    progress: Progress,
) -> tuple[Mapping[str, bytes], Mapping[str, ImageError]]:
    """Digests of the good images by name, and why others are bad; their features are kept."""
    if images is None:
        return {}, {}
    digests, errors = digest_images(content.names(), images, workers=settings.workers, progress=progress)
    bad: dict[bytes, ImageError] = {}
    names = {digest: name for name, digest in digests.items()}
    reader = replace(kept, images=ImagesByDigest(images, names), on_error=bad.__setitem__)
    reader.ensure(list(names), Wanted(frozenset(models.encoders), phash=True), progress)
    errors |= {name: bad[digest] for name, digest in digests.items() if digest in bad}
    return {name: digest for name, digest in digests.items() if digest not in bad}, errors


def _refuse(source: Source, models: LoadedModels, errors: Mapping[str, ImageError], settings: Settings) -> None:
    if models.matcher is None:
        skip_or_refuse(source.content, errors, skip=settings.skip_bad_images)
    else:
        _refuse_or_warn(source.content.with_images(), errors, skip=settings.skip_bad_images)


def _batches(
    postings: Sequence[Posting], images: ImageSource | None, digests: Mapping[str, bytes]
) -> Iterator[Sequence[Put]]:
    """Postings with their images, so many at once that they take little memory."""
    batch: list[Put] = []
    size = 0
    for posting in postings:
        good = [name for name in posting.images if name in digests]
        content = [] if images is None else [images.read(name) for name in good]
        batch.append(Put(posting.with_images(digests[name].hex() for name in good), content))
        size += sum(map(len, content))
        if len(batch) == _AT_ONCE or size > _BYTES_AT_ONCE:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _refuse_or_warn(content: CsvCatalogue, errors: Mapping[str, ImageError], *, skip: bool) -> None:
    """Refuse bad images, unless they are to be skipped: then they are named, and their postings go without."""
    problems = content.image_problems(errors)
    if not skip:
        content.refuse(problems)
    if count := len({problem.row for problem in problems}):
        _log.warning("%s", CatalogueError(f"{content.path}: {count} postings whose image is bad", problems))
