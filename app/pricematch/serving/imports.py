"""Imports: files of postings that are stored a batch at a time, by a job of the service or from the command line."""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event, Thread

from pricematch.catalogue.features import Wanted
from pricematch.catalogue.job_records import Counts, Job
from pricematch.encoding.blocking import encoding_for
from pricematch.encoding.catalogue_files import row_format
from pricematch.encoding.ports import ImageSource
from pricematch.encoding.stored_images import Encode, StoredImages
from pricematch.errors import (
    DeadlineExceeded,
    ImportRefused,
    NotReady,
    Overloaded,
    PricematchError,
    RowProblem,
    SettingsError,
    StoreError,
)
from pricematch.formats.image_folder import ImageFolder, folder_within
from pricematch.formats.posting_rows import PostingRows, TextFormat, check_rows
from pricematch.formats.zip_images import ZipImages, ZipLimits
from pricematch.matching.stock_images import StockImage
from pricematch.progress import Progress
from pricematch.serving.intake import Intake, put_each, try_each
from pricematch.serving.row_imports import RowImport
from pricematch.serving.snapshot_builder import stock_images
from pricematch.settings import Settings
from pricematch.store.job_files import JobFiles
from pricematch.store.sqlite.store import Store, open_store

KIND = "import"
WHOLE_FILE = 0
"""Row of what a job has to say of its file as a whole: warnings, since a file that is of no use makes no job."""
POSTINGS, IMAGES = "postings", "images"
_MAX_PROBLEMS = 1000
"""Problems of a job that are kept; how many rows failed is counted beyond."""
_SHOWN = 20
"""Stock images that a job or a command names, at most."""
_NOT_NOW = (StoreError, Overloaded, DeadlineExceeded, NotReady)
"""After these an import is taken up again where it was."""
_PATIENCE = 10
"""So many times as long it waits then."""
_log = logging.getLogger("pricematch")


class Importer:
    """A thread that takes queued imports, the oldest first, and goes on with one that a killed process began.

    The job is updated right after each batch is stored; a batch that was stored without it is stored again, which
    changes nothing. While the store cannot be written to, it waits and tries again.
    """

    def __init__(self, settings: Settings, store: Store, intake: Intake, files: JobFiles) -> None:
        self._settings, self._store, self._intake, self._files = settings, store, intake, files
        self._stop = Event()
        self._sweep()  # before anything can arrive
        self._thread = Thread(target=self._work, daemon=True, name="import")
        self._thread.start()

    def close(self) -> None:
        """Stop behind the batch that is being stored; the next start goes on from there."""
        self._stop.set()
        self._thread.join()

    def _sweep(self) -> None:
        """Delete what was being sent when a process was killed, and files of jobs that have ended."""
        try:
            self._files.sweep({job.job_id for job in self._store.jobs.unfinished(KIND)})
        except StoreError as error:
            _log.warning("what was being imported could not be tidied: %s", error)

    def _work(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            pause = self._settings.follow_seconds
            try:
                for job in self._store.jobs.unfinished(KIND):
                    if not self._stop.is_set():
                        self._run(job)
            except _NOT_NOW as error:
                _log.error("imports wait: %s", error)
                pause *= _PATIENCE

    def _run(self, job: Job) -> None:
        """Import a job to its end, unless the service stops; raises what is one of `_NOT_NOW`."""
        try:
            self._imported(job)
        except _NOT_NOW:
            raise
        except PricematchError as error:
            self._fail(job, str(error))
        except Exception:  # noqa: BLE001 — whatever it is, the other imports and the service go on
            _log.exception("the import %s failed", job.job_id)
            self._fail(job, "the service failed; its log says why")
        if (now := self._store.jobs.job(job.job_id)) is None or now.state not in {"queued", "running"}:
            self._files.remove(job.job_id)

    def _imported(self, job: Job) -> None:
        self._files.check(job.job_id, json.loads(job.spec).get("digests", {}))  # none in a job of an earlier version
        total, odd = job.total, list[RowProblem]()
        if total is None:
            rows = self._rows(job)
            total = sum(1 for _ in rows)
            odd = [RowProblem(WHOLE_FILE, None, warning) for warning in rows.warnings()]
        job = self._store.jobs.change(replace(job, state="running", total=total), odd)
        if job.state != "running":  # cancelled meanwhile
            return
        if not job.cancelling:
            job = self._stored(job)
        if job.cancelling:
            self._store.jobs.change(replace(job, state="cancelled"))
        elif job.done >= total:
            stock = None if is_dry_run(job) else self._intake.snapshots.current.matcher.stock
            told = [
                RowProblem(WHOLE_FILE, None, f"stock_image: {it}")
                for it in ([] if stock is None else stock.each[:_SHOWN])
            ]
            self._store.jobs.change(replace(job, state="done"), told)
            _log.info("import %s: %d rows, %d failed", job.job_id, job.done, job.counts.failed)

    def _stored(self, job: Job) -> Job:
        """The job after as many of its batches as there are, or until it is cancelled or the service stops."""
        room = _MAX_PROBLEMS - len(self._store.jobs.problems(job.job_id, 0, _MAX_PROBLEMS))
        with _images_of(job, self._files, self._settings) as images:
            stored = self._store.postings.get
            put_each = self._intake.put_each
            if is_dry_run(job):
                put_each = partial(try_each, stored, self._intake.images.encode)
            put = RowImport(images, stored, put_each, self._settings.max_title_chars)
            for batch in put.batches(self._rows(job), job.done):
                done, counts, problems = job.done + batch.rows, job.counts + batch.counts, batch.problems[:room]
                job = self._store.jobs.change(replace(job, done=done, counts=counts), problems)
                room -= len(problems)
                if job.cancelling or self._stop.is_set():
                    break
        return job

    def _rows(self, job: Job) -> PostingRows:
        limits, given = row_format(self._settings)
        spec = json.loads(job.spec)
        given = TextFormat(spec.get("encoding", given.encoding), spec.get("delimiter", given.delimiter))
        return PostingRows(self._files.path(job.job_id, POSTINGS), POSTINGS, limits, given)

    def _fail(self, job: Job, reason: str) -> None:
        now = self._store.jobs.job(job.job_id)
        self._store.jobs.change(replace(now or job, state="failed", reason=reason))


def is_dry_run(job: Job) -> bool:
    """Whether a job stores nothing, and only reports what it would store."""
    return bool(json.loads(job.spec).get("dry_run", False))


@contextmanager
def _images_of(job: Job, files: JobFiles, settings: Settings) -> Iterator[ImageSource | None]:
    """The images that the rows of a job name; None where it brings none.

    Raises:
        ImportRefused: they are not what may be read, or not any more.
    """
    spec = json.loads(job.spec)
    if spec.get("folder") is not None:
        yield server_folder(settings, spec["folder"])
    elif spec.get("images"):
        archive = ZipImages(files.path(job.job_id, IMAGES), IMAGES, zip_limits(settings))
        try:
            yield archive
        finally:
            archive.close()
    else:
        yield None


def server_folder(settings: Settings, name: str) -> ImageFolder:
    """A folder of images on the server's disk that imports may read; raises ImportRefused."""
    if settings.import_folder is None:
        raise ImportRefused("this service reads images from no folder of its own; send them as a ZIP file")
    if (path := folder_within(settings.import_folder, name)) is None:
        raise ImportRefused(f"expected a folder below the one imports may read, got {name[:200]!r}")
    return ImageFolder(path, settings.max_image_bytes, "the folder")


def zip_limits(settings: Settings) -> ZipLimits:
    """Limits of a ZIP file of images."""
    return ZipLimits(
        members=settings.max_import_images,
        image_bytes=settings.max_image_bytes,
        total_bytes=settings.max_import_unpacked_bytes,
        ratio=settings.max_import_ratio,
    )


@dataclass(frozen=True)
class ImportedFile:
    """Outcome of importing a file.

    Attributes:
        counts: of the rows.
        problems: the first thousand, in the order of the file.
        version: the catalogue's, afterwards.
        warnings: how the file was read, and what is odd in it.
        stock: images that are no evidence, the first of all that are stored now.
    """

    counts: Counts
    problems: Sequence[RowProblem]
    version: int
    warnings: Sequence[str]
    stock: Sequence[StockImage]


def import_file(settings: Settings, file: Path, images: Path | None, progress: Progress) -> ImportedFile:
    """Store the postings of a file, each in place of the one with its id; a bad row fails alone.

    Images are decoded and hashed; a service embeds them when it next follows. If this breaks off, stored rows stay,
    and the same command goes on from there.

    Args:
        settings: where the store is, which is made if absent, and limits.
        file: CSV or NDJSON.
        images: folder or ZIP file of the images; None: rows bring none, and stored postings keep theirs.
        progress: called with how many rows are done.

    Raises:
        SettingsError: there are no such images.
        CatalogueError, ImportRefused: the file or the images are of no use as a whole; nothing is stored.
        StoreError: the store cannot be written to; what was stored before stays.
    """
    check_rows(file, str(file), *row_format(settings))
    return encoding_for(partial(_stored, settings, file, images, progress), settings)


def _stored(settings: Settings, file: Path, images: Path | None, progress: Progress, encode: Encode) -> ImportedFile:
    read = PostingRows(file, str(file), *row_format(settings))
    total = sum(1 for _ in read)
    progress("Storing postings", 0, total)
    with image_source(images, settings) as source, closing(open_store(settings.data)) as store:
        features = StoredImages(store.images, store.computed, encode, lambda *_: None)
        put = partial(put_each, store.postings, features, Wanted(phash=True))
        rows = RowImport(source, store.postings.get, put, settings.max_title_chars)
        done, counts, problems = 0, Counts(), list[RowProblem]()
        for batch in rows.batches(PostingRows(file, str(file), *row_format(settings))):
            done, counts = done + batch.rows, counts + batch.counts
            problems += batch.problems[: _MAX_PROBLEMS - len(problems)]
            progress("Storing postings", done, total)
        stock = stock_images(store.postings, features)[:_SHOWN]
        return ImportedFile(counts, problems, store.postings.version(), read.warnings(), stock)


@contextmanager
def image_source(images: Path | None, settings: Settings) -> Iterator[ImageSource | None]:
    """A folder or a ZIP file of images; None where none is named. Raises SettingsError, ImportRefused."""
    if images is None:
        yield None
    elif images.is_dir():
        yield ImageFolder(images, settings.max_image_bytes)
    elif images.exists():
        with closing(ZipImages(images, str(images), zip_limits(settings))) as archive:
            yield archive
    else:
        raise SettingsError(f"expected a folder or a ZIP file of images, got {images}, which is not there")
