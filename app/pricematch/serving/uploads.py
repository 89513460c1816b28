"""Uploads of imports: written to the disk while they are sent, checked, and made jobs."""

import json
from dataclasses import asdict, dataclass
from threading import Lock
from typing import BinaryIO

from pricematch.catalogue.job_records import Job
from pricematch.encoding.catalogue_files import row_format
from pricematch.errors import JobNotFound, Overloaded
from pricematch.formats.posting_rows import TextFormat, check_rows
from pricematch.formats.zip_images import ZipImages
from pricematch.serving.imports import IMAGES, KIND, POSTINGS, server_folder, zip_limits
from pricematch.settings import CsvDelimiter, CsvEncoding, Settings
from pricematch.store.job_files import JobFiles
from pricematch.store.sqlite.store import Store


@dataclass(frozen=True)
class ImportOptions:
    """How a file is read, the settings' where it is None; and whether it is only looked at, and nothing is stored."""

    encoding: CsvEncoding | None = None
    delimiter: CsvDelimiter | None = None
    dry_run: bool = False


class Uploads:
    """Takes files of postings, to be imported behind the requests. Safe to use from several threads.

    An upload has the id of the job that it is to become.
    """

    def __init__(self, settings: Settings, store: Store, files: JobFiles) -> None:
        self._settings, self._store, self._files = settings, store, files
        self._open = set[str]()
        self._lock = Lock()

    def begin(self) -> str:
        """The id of a new upload; raises Overloaded where too many imports wait, run or are being sent, StoreError."""
        with self._lock:
            waiting, most = len(self._store.jobs.unfinished(KIND)) + len(self._open), self._settings.max_imports
            if waiting >= most:
                raise Overloaded(f"expected at most {most} imports that wait or run, and there are {waiting}")
            job_id = self._files.new()
            self._open.add(job_id)
        return job_id

    def open(self, job_id: str, name: str) -> BinaryIO:
        """A file of an upload to write to, `postings` or `images`, once each; it and its `write` raise StoreError."""
        return self._files.open(job_id, name)

    def queue(self, job_id: str, folder: str | None, options: ImportOptions) -> Job:
        """Make a job of an upload; from now on it is kept for good.

        Args:
            job_id: of the upload.
            folder: of the server, relative, that the images are in; None where they are sent, or there are none.
            options: how the file is read, and whether anything is stored.

        Raises:
            ImportRefused, CatalogueError: it is of no use as a whole.
            StoreError: it cannot be kept.
        """
        settings, images = self._settings, self._files.path(job_id, IMAGES)
        if folder is not None:
            server_folder(settings, folder)
        limits, given = row_format(settings)
        given = TextFormat(options.encoding or given.encoding, options.delimiter or given.delimiter)
        check_rows(self._files.path(job_id, POSTINGS), POSTINGS, limits, given)
        if sent := images.exists():
            ZipImages(images, IMAGES, zip_limits(settings)).close()
        digests = self._files.sync(job_id)
        spec = {"images": sent, "folder": folder, "digests": digests, "dry_run": options.dry_run, **asdict(given)}
        job = self._store.jobs.create(KIND, json.dumps(spec), job_id)
        with self._lock:
            self._open.discard(job_id)
        return job

    def discard(self, job_id: str) -> None:
        """Delete an upload, unless a job was made of it; to be called whatever happens."""
        if job_id in self._open:
            self._files.remove(job_id)
            with self._lock:
                self._open.discard(job_id)

    def end_job(self, job_id: str) -> tuple[Job, bool]:
        """Cancel a job, or forget it if it has ended: as it is or was, and whether it was forgotten.

        Raises:
            JobNotFound: there is none.
            StoreError: nothing is changed.
        """
        job = self._store.jobs.job(job_id)
        if job is not None and self._store.jobs.remove(job_id):
            self._files.remove(job_id)
            return job, True
        job = self._store.jobs.cancel(job_id)
        if job is None:
            raise JobNotFound(job_id)
        if job.state == "cancelled":
            self._files.remove(job_id)
        return job, False
