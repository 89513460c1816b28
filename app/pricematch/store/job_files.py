"""Files that jobs work on: a folder for each, until it has ended."""

import io
import os
import secrets
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from pricematch.formats.atomic_writes import sync_folder
from pricematch.store.folder import store_errors

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class JobFiles:
    """The folders of jobs, named by their ids.

    Args:
        folder: that holds them; made if need be.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self) -> "JobFolder":
        """A folder for a job that is yet to be made; raises StoreError."""
        job_id = secrets.token_hex(16)
        with store_errors(self._folder.parent):
            (self._folder / job_id).mkdir(parents=True)
        return JobFolder(job_id, self._folder / job_id)

    def path(self, job_id: str, name: str) -> Path:
        """Where a file of a job is, if it is."""
        return self._folder / job_id / name

    def remove(self, job_id: str) -> None:
        """Delete the files of a job, if there are any; what cannot be deleted goes with the next `sweep`."""
        shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def sweep(self, kept: Collection[str]) -> None:
        """Delete the folders of all but some jobs: what a process that was killed left behind."""
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                if path.name not in kept:
                    self.remove(path.name)


class JobFolder:
    """The files of a job that is yet to be made.

    Attributes:
        job_id: the id it is to have.
        path: the folder.
    """

    def __init__(self, job_id: str, path: Path) -> None:
        self.job_id, self.path = job_id, path

    def open(self, name: str) -> "JobFile":
        """A new file to write to; raises StoreError."""
        with store_errors(self.path):
            return JobFile(self.path / name, "xb")

    def sync(self) -> None:
        """Have everything on the disk; raises StoreError."""
        with store_errors(self.path):
            for path in self.path.iterdir():
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            for folder in (self.path, self.path.parent, self.path.parent.parent):
                sync_folder(folder)


class JobFile(io.FileIO):
    """A file whose faults are those of the store."""

    def write(self, content: "ReadableBuffer", /) -> int:
        """Write all of it; raises StoreError."""
        left = memoryview(content)
        with store_errors(Path(os.fsdecode(self.name)).parent):
            while left:
                left = left[super().write(left) or 0 :]
        return memoryview(content).nbytes
