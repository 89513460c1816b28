"""Files that jobs work on: a folder for each, until it has ended."""

import hashlib
import io
import os
import secrets
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pricematch.errors import ImportRefused
from pricematch.formats.atomic_writes import sync_folder
from pricematch.store.folder import PRIVATE_FILE, PRIVATE_FOLDER, store_errors

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class JobFiles:
    """The folders of jobs, named by their ids."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self) -> str:
        """Make a folder for a job that is yet to be made; the id it is to have. Raises StoreError."""
        job_id = secrets.token_hex(16)
        with store_errors(self._folder.parent):
            self._folder.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
            (self._folder / job_id).mkdir(PRIVATE_FOLDER)
        return job_id

    def path(self, job_id: str, name: str) -> Path:
        """Where a file of a job is, if it is."""
        return self._folder / job_id / name

    def open(self, job_id: str, name: str) -> "JobFile":
        """A new file of a job to write to; raises StoreError."""
        with store_errors(self._folder / job_id):
            return JobFile(self.path(job_id, name), "xb", opener=_private)

    def sync(self, job_id: str) -> Mapping[str, str]:
        """Force all files of a job to the disk: their SHA-256 by name; raises StoreError."""
        folder, digests = self._folder / job_id, dict[str, str]()
        with store_errors(folder):
            for path in sorted(folder.iterdir()):
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                    digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
            for parent in (folder, folder.parent, folder.parent.parent):
                sync_folder(parent)
        return digests

    def check(self, job_id: str, digests: Mapping[str, str]) -> None:
        """Raise ImportRefused if a file of a job is not there, or not as it was when its digest was taken."""
        for name, digest in digests.items():
            try:
                with self.path(job_id, name).open("rb") as file:
                    whole = hashlib.file_digest(file, "sha256").hexdigest() == digest
            except OSError:
                whole = False
            if not whole:
                raise ImportRefused(f"the file {name!r} is missing or damaged on the service's disk; send it again")

    def remove(self, job_id: str) -> None:
        """Delete the files of a job, if there are any; what cannot be deleted goes with the next `sweep`."""
        shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def sweep(self, kept: Collection[str]) -> None:
        """Delete the folders of all but some jobs: what a process that was killed left behind."""
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in kept:
                    self.remove(path.name)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE_FILE)


class JobFile(io.FileIO):
    """A file whose faults are those of the store."""

    def write(self, content: "ReadableBuffer", /) -> int:
        """Write all of it; raises StoreError."""
        left = memoryview(content)
        with store_errors(Path(os.fsdecode(self.name)).parent):
            while left:
                left = left[super().write(left) or 0 :]
        return memoryview(content).nbytes
