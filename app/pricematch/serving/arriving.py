"""Imports on their way in: written to the disk while they are sent, looked at, and made jobs."""

import json
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, BinaryIO, Literal

from pricematch.catalogue.posting_rows import RowLimits
from pricematch.catalogue.records import Job
from pricematch.errors import JobNotFound, Overloaded
from pricematch.formats.posting_file import check_rows
from pricematch.formats.zip_images import ZipImages
from pricematch.serving.importing import IMAGES, KIND, POSTINGS, server_folder, zip_limits
from pricematch.settings import Settings
from pricematch.store.job_files import JobFiles, JobFolder
from pricematch.store.sqlite.store import Store


class ImportDesk:
    """Implements `ports.Imports`. Safe to use from several threads.

    Args:
        settings: limits.
        store: where jobs are made.
        files: of the jobs.
    """

    def __init__(self, settings: Settings, store: Store, files: JobFiles) -> None:
        self.settings, self.store, self.files = settings, store, files
        self._arriving = set[str]()
        self._lock = Lock()

    def begin(self) -> "Arriving":
        """See the port; what is still being sent counts as well, for it takes as much room."""
        with self._lock:
            waiting, most = len(self.store.jobs.unfinished(KIND)) + len(self._arriving), self.settings.max_imports
            if waiting >= most:
                raise Overloaded(f"expected at most {most} imports that wait or run, and there are {waiting}")
            folder = self.files.new()
            self._arriving.add(folder.job_id)
        return Arriving(self, folder)

    def arrived(self, job_id: str) -> None:
        """Something is being sent no more."""
        with self._lock:
            self._arriving.discard(job_id)

    def end(self, job_id: str) -> tuple[Job, bool]:
        """See the port."""
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
class Arriving:
    """Implements `ports.ArrivingImport`."""

    desk: ImportDesk
    folder: JobFolder
    sent: set[str] = field(default_factory=set)
    queued: bool = False

    def open(self, name: Literal["postings", "images"]) -> BinaryIO:
        """See the port."""
        self.sent.add(name)
        return self.folder.open(name)

    def queue(self, folder: str | None) -> Job:
        """See the port."""
        self._check(folder)
        self.folder.sync()
        spec: dict[str, Any] = {"images": IMAGES in self.sent, "folder": folder}
        job = self.desk.store.jobs.create(KIND, json.dumps(spec), self.folder.job_id)
        self.queued = True
        return job

    def discard(self) -> None:
        """See the port."""
        if not self.queued:
            self.desk.files.remove(self.folder.job_id)
        self.desk.arrived(self.folder.job_id)

    def _check(self, folder: str | None) -> None:
        """Raise ImportRefused or CatalogueError where that can be told at once."""
        settings = self.desk.settings
        if folder is not None:
            server_folder(settings, folder)
        check_rows(
            self.folder.path / POSTINGS, POSTINGS, RowLimits(settings.max_catalogue_rows, settings.max_csv_row_bytes)
        )
        if IMAGES in self.sent:
            ZipImages(self.folder.path / IMAGES, IMAGES, zip_limits(settings)).close()
