"""Uploads of imports: written to the disk while they are sent, checked, and made jobs."""

import json
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, BinaryIO, Literal

from pricematch.catalogue.records import Job
from pricematch.errors import JobNotFound, Overloaded
from pricematch.formats.posting_rows import RowLimits, check_rows
from pricematch.formats.zip_images import ZipImages
from pricematch.serving.imports import IMAGES, KIND, POSTINGS, server_folder, zip_limits
from pricematch.settings import Settings
from pricematch.store.job_files import JobFiles
from pricematch.store.sqlite.store import Store


class Uploads:
    """Takes files of postings, to be imported behind the requests. Safe to use from several threads."""

    def __init__(self, settings: Settings, store: Store, files: JobFiles) -> None:
        self.settings, self.store, self.files = settings, store, files
        self._open = set[str]()
        self._lock = Lock()

    def begin(self) -> "Upload":
        """A new upload; raises Overloaded where too many imports wait, run or are being sent, StoreError."""
        with self._lock:
            waiting, most = len(self.store.jobs.unfinished(KIND)) + len(self._open), self.settings.max_imports
            if waiting >= most:
                raise Overloaded(f"expected at most {most} imports that wait or run, and there are {waiting}")
            job_id = self.files.new()
            self._open.add(job_id)
        return Upload(self, job_id)

    def ended(self, job_id: str) -> None:
        """An upload is over."""
        with self._lock:
            self._open.discard(job_id)

    def end_job(self, job_id: str) -> tuple[Job, bool]:
        """Cancel a job, or forget it if it has ended: as it is or was, and whether it was forgotten.

        Raises:
            JobNotFound: there is none.
            StoreError: nothing is changed.
        """
        job = self.store.jobs.job(job_id)
        if job is not None and self.store.jobs.remove(job_id):
            self.files.remove(job_id)
            return job, True
        job = self.store.jobs.cancel(job_id)
        if job is None:
            raise JobNotFound(job_id)
        if job.state == "cancelled":
            self.files.remove(job_id)
        return job, False


@dataclass
class Upload:
    """Files of postings and images that are being sent.

    Attributes:
        uploads: it belongs to.
        job_id: of the job that is to be made.
        files: names of those that were opened.
        queued: whether it was made a job.
    """

    uploads: Uploads
    job_id: str
    files: set[str] = field(default_factory=set)
    queued: bool = False

    def open(self, name: Literal["postings", "images"]) -> BinaryIO:
        """A file to write to, once each; it and its `write` raise StoreError."""
        self.files.add(name)
        return self.uploads.files.open(self.job_id, name)

    def queue(self, folder: str | None) -> Job:
        """Make a job of it; from now on it is kept for good.

        Args:
            folder: of the server, relative, that the images are in; None where they are sent, or there are none.

        Raises:
            ImportRefused, CatalogueError: it is of no use as a whole.
            StoreError: it cannot be kept.
        """
        self._check(folder)
        self.uploads.files.sync(self.job_id)
        spec: dict[str, Any] = {"images": IMAGES in self.files, "folder": folder}
        job = self.uploads.store.jobs.create(KIND, json.dumps(spec), self.job_id)
        self.queued = True
        return job

    def discard(self) -> None:
        """Delete what has come, unless a job was made of it; to be called whatever happens."""
        if not self.queued:
            self.uploads.files.remove(self.job_id)
        self.uploads.ended(self.job_id)

    def _check(self, folder: str | None) -> None:
        """Raise ImportRefused or CatalogueError where that is known at once."""
        settings, files = self.uploads.settings, self.uploads.files
        if folder is not None:
            server_folder(settings, folder)
        limits = RowLimits(settings.max_catalogue_rows, settings.max_csv_row_bytes)
        check_rows(files.path(self.job_id, POSTINGS), POSTINGS, limits)
        if IMAGES in self.files:
            ZipImages(files.path(self.job_id, IMAGES), IMAGES, zip_limits(settings)).close()
