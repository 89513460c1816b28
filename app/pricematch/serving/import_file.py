"""An import from the command line, into a store that a service may be serving meanwhile."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pricematch.catalogue.image_features import Wanted
from pricematch.catalogue.records import Counts
from pricematch.encoding.features import HASHING
from pricematch.encoding.ports import ImageSource
from pricematch.encoding.stored_images import Encode, StoredImages
from pricematch.errors import RowProblem, SettingsError
from pricematch.formats.image_folder import ImageFolder
from pricematch.formats.posting_rows import RowLimits, check_rows, posting_rows
from pricematch.formats.zip_images import ZipImages
from pricematch.progress import Progress
from pricematch.serving.importing import MAX_PROBLEMS, zip_limits
from pricematch.serving.intake import put_each
from pricematch.serving.lifetime import ForThreads, encoding_of
from pricematch.serving.row_import import RowImport
from pricematch.settings import Settings
from pricematch.store.sqlite.store import open_store


@dataclass(frozen=True)
class ImportedFile:
    """What became of the rows of a file.

    Attributes:
        counts: of the rows.
        problems: the first thousand, in the order of the file.
        version: the catalogue's, afterwards.
    """

    counts: Counts
    problems: Sequence[RowProblem]
    version: int


def import_file(settings: Settings, file: Path, images: Path | None, progress: Progress) -> ImportedFile:
    """Store the postings of a file, each in place of the one with its id; a bad row fails alone.

    Pictures are decoded and hashed; what embeds them, a service does when it next looks. What is stored when this
    breaks off stays, and the same command goes on from there.

    Args:
        settings: where the store is, which is made if absent, and limits.
        file: CSV or NDJSON.
        images: folder or ZIP file of the pictures; None: rows bring none, and stored postings keep theirs.
        progress: is told how many rows are done.

    Raises:
        SettingsError: there are no such pictures.
        CatalogueError, ImportRefused: the file or the pictures are of no use as a whole; nothing is stored.
        StoreError: the store cannot be written to; what was stored before stays.
    """
    limits = RowLimits(settings.max_catalogue_rows, settings.max_csv_row_bytes)
    check_rows(file, str(file), limits)
    return asyncio.run(_import(settings, file, images, progress, limits))


async def _import(
    settings: Settings, file: Path, images: Path | None, progress: Progress, limits: RowLimits
) -> ImportedFile:
    async with encoding_of(settings) as encoding:
        encode = ForThreads(encoding, asyncio.get_running_loop()).encode
        return await asyncio.to_thread(_stored, settings, file, images, progress, limits, encode)


def _stored(
    settings: Settings, file: Path, images: Path | None, progress: Progress, limits: RowLimits, encode: Encode
) -> ImportedFile:
    total = sum(1 for _ in posting_rows(file, str(file), limits))
    with _source(images, settings) as source, closing(open_store(settings.data)) as store:
        features = StoredImages(store.images, store.computed, encode, HASHING, lambda *_: None)
        put = partial(put_each, store.postings, features, Wanted(phash=True))
        rows = RowImport(source, store.postings, put, settings.max_title_chars)
        done, counts, problems = 0, Counts(), list[RowProblem]()
        for batch in rows.batches(posting_rows(file, str(file), limits)):
            done, counts = done + batch.rows, counts + batch.counts
            problems += batch.problems[: MAX_PROBLEMS - len(problems)]
            progress("Storing postings", done, total)
        return ImportedFile(counts, problems, store.postings.version())


@contextmanager
def _source(images: Path | None, settings: Settings) -> Iterator[ImageSource | None]:
    if images is None:
        yield None
    elif images.is_dir():
        yield ImageFolder(images, settings.max_image_bytes)
    elif images.exists():
        with closing(ZipImages(images, str(images), zip_limits(settings))) as archive:
            yield archive
    else:
        raise SettingsError(f"expected a folder or a ZIP file of pictures, got {images}, which is not there")
