"""Images that no posting shows any more: their files, and what was computed from them."""

import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from pricematch.errors import StoreError, StoreUnavailable
from pricematch.store.folder import held, store_errors
from pricematch.store.image_files import DIGEST_BYTES, ImageFiles
from pricematch.store.sqlite.database import Database

_log = logging.getLogger("pricematch")


class UnusedImages:
    """Deletes images that no posting shows.

    Each is deleted in a transaction that alone may write, so that no posting can come to show it meanwhile.
    What cannot be deleted now goes with the next one, or when the store is next opened to be served.
    """

    def __init__(self, database: Database, images: ImageFiles) -> None:
        self._database = database
        self._images = images
        self._doubtful: set[bytes] = set()
        self._doubting = threading.Lock()

    def doubt(self, digests: Iterable[bytes]) -> None:
        """Have images looked at after the next change: postings that were to show them could not be stored."""
        with self._doubting:
            self._doubtful.update(digests)

    def release(self, digests: Iterable[bytes]) -> None:
        """Delete those of some images that no posting shows. A failure is only logged: the change is made."""
        with self._doubting:
            looked_at = self._doubtful | set(digests)
            self._doubtful = set()
        if not looked_at:
            return
        try:
            with self._database.write() as connection:
                self._delete(connection, [digest for digest in looked_at if not _shown(connection, digest)])
        except StoreError as error:
            _still_there(error)
            self.doubt(looked_at)

    def sweep(self) -> None:
        """Delete every image that no posting shows, and log how many that postings show are missing.

        Raises:
            StoreError: not all of it could be done.
        """
        with store_errors(self._images.folder):
            found = [self._sweep(bytes([prefix])) for prefix in range(256)]
        unused, missing = (sum(counts) for counts in zip(*found, strict=True))
        if unused:
            _log.info("%d images that no posting shows were deleted from %s", unused, self._images.folder)
        if missing:
            _log.warning("%d images that postings show are not in %s", missing, self._images.folder)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """No image is deleted meanwhile, by any process; those that were to be are, behind the block."""
        folder = self._images.folder
        try:
            with store_errors(folder), held(folder, shared=True, wait_seconds=self._database.wait_seconds):
                yield
        finally:
            try:
                self.sweep()
            except StoreError as error:
                _still_there(error)

    def _sweep(self, prefix: bytes) -> tuple[int, int]:
        """Of the images whose digests begin so, how many were not shown, and how many are but are not there."""
        with self._database.write() as connection:
            rows = connection.execute(
                "SELECT image FROM posting WHERE image BETWEEN ? AND ?", (prefix, prefix + b"\xff" * DIGEST_BYTES)
            )
            shown, there = {image for (image,) in rows}, self._images.digests(prefix)
            self._delete(connection, sorted(there - shown))
        return len(there - shown), len(shown - there)

    def _delete(self, connection: sqlite3.Connection, digests: Sequence[bytes]) -> None:
        """Delete images, and what was computed from them; the files stay while a backup is reading them."""
        if not digests:
            return
        for table in ("embedding", "hash"):
            connection.executemany(f"DELETE FROM {table} WHERE digest = ?", [(digest,) for digest in digests])
        try:
            with held(self._images.folder, wait_seconds=0):
                for digest in digests:
                    self._images.remove(digest)
        except StoreUnavailable:
            _log.info("images that no posting shows stay until the backup is done")


def _still_there(error: StoreError) -> None:
    _log.warning("images that no posting shows are still there: %s", error)


def _shown(connection: sqlite3.Connection, digest: bytes) -> bool:
    return connection.execute("SELECT 1 FROM posting WHERE image = ?", (digest,)).fetchone() is not None
