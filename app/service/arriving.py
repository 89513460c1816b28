"""Imports on their way in: written to the disk while they are sent, looked at, and made jobs."""

import json
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

from app.adapters.job_files import JobFiles, JobFolder
from app.adapters.posting_file import check_rows
from app.adapters.sqlite_store import Store
from app.adapters.zip_images import ZipImages
from app.errors import JobNotFound, Overloaded
from app.matching.posting_rows import RowLimits
from app.matching.stored import Job
from app.service.importing import IMAGES, KIND, POSTINGS, server_folder, zip_limits
from app.settings import Settings


@dataclass(frozen=True)
class ImportDesk:
    """Implements `ports.Imports`.

    Attributes:
        settings: limits.
        store: where jobs are made.
        files: of the jobs.
    """

    settings: Settings
    store: Store
    files: JobFiles

    def begin(self) -> "Arriving":
        """See the port."""
        waiting, most = len(self.store.jobs.unfinished(KIND)), self.settings.max_imports
        if waiting >= most:
            raise Overloaded(f"expected at most {most} imports that wait or run, and there are {waiting}")
        return Arriving(self, self.files.new())

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
