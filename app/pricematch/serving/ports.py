"""What takes many postings in."""

from typing import BinaryIO, Literal, Protocol

from pricematch.catalogue.records import Job


class ArrivingImport(Protocol):
    """Files of postings and pictures that are being sent."""

    def open(self, name: Literal["postings", "images"]) -> BinaryIO:
        """A file to write to, once each; it and its `write` raise StoreError."""
        ...

    def queue(self, folder: str | None) -> Job:
        """Make a job of it; from now on it is kept for good.

        Args:
            folder: of the server, relative, that the pictures are in; None where they are sent, or there are none.

        Raises:
            ImportRefused, CatalogueError: it is of no use as a whole.
            StoreError: it cannot be kept.
        """
        ...

    def discard(self) -> None:
        """Delete what has come, unless a job was made of it; to be called whatever happens."""
        ...


class Imports(Protocol):
    """Takes files of postings in, to be stored one batch after the other."""

    def begin(self) -> ArrivingImport:
        """Raises Overloaded where too many wait, StoreError."""
        ...

    def end(self, job_id: str) -> tuple[Job, bool]:
        """Cancel a job, or forget it if it has ended: as it is or was, and whether it was forgotten.

        Raises:
            JobNotFound: there is none.
            StoreError: nothing is changed.
        """
        ...
