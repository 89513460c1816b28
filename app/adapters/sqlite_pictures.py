"""Pictures that no posting shows any more: their files, and what was computed from them."""

import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from app.adapters.folder_locks import held
from app.adapters.image_files import ImageFiles
from app.adapters.incoming_images import sweep_incoming
from app.adapters.sqlite_database import Database
from app.adapters.store_errors import store_errors
from app.errors import StoreError, StoreUnavailable

_log = logging.getLogger("pricematch")


class UnusedPictures:
    """Deletes pictures that no posting shows.

    Each is deleted in a transaction that alone may write, so that no posting can come to show it meanwhile.
    What cannot be deleted now goes with the next one, or when the store is next opened to be served.

    Args:
        database: with the postings.
        images: their pictures.
        incoming: folder of pictures on their way in.
    """

    def __init__(self, database: Database, images: ImageFiles, incoming: Path) -> None:
        self._database = database
        self._images = images
        self._incoming = incoming
        self._doubtful: set[bytes] = set()

    def doubt(self, digests: Iterable[bytes]) -> None:
        """Have pictures looked at after the next change: postings that were to show them could not be stored."""
        self._doubtful.update(digests)

    def release(self, digests: Iterable[bytes]) -> None:
        """Delete those of some pictures that no posting shows. A failure is only logged: the change is made."""
        looked_at = {*digests, *self._doubtful}
        if not looked_at:
            return
        self._doubtful |= looked_at
        try:
            with self._database.write() as connection:
                unused = [digest for digest in looked_at if not _shown(connection, digest)]
                _forget_computed(connection, unused)
                self._remove(unused)
        except StoreError as error:
            _log.warning("pictures that no posting shows are still there: %s", error)
        else:
            self._doubtful -= looked_at

    def sweep(self) -> int:
        """Delete every picture that no posting shows, and what was left half written; how many pictures.

        Raises:
            StoreError: not all of it could be deleted.
        """
        with store_errors(self._images.folder):
            swept = sum(self._sweep(prefix) for prefix in self._images.prefixes())
            sweep_incoming(self._incoming)
        return swept

    def _sweep(self, prefix: bytes) -> int:
        found = self._images.digests(prefix)
        with self._database.write() as connection:
            rows = connection.execute(
                "SELECT DISTINCT image FROM posting WHERE image BETWEEN ? AND ?", (prefix, prefix + b"\xff" * 32)
            )
            unused = sorted(set(self._images.digests(prefix)) - {image for (image,) in rows}) if found else []
            _forget_computed(connection, unused)
            self._remove(unused)
        return len(unused)

    def _remove(self, digests: Iterable[bytes]) -> None:
        """Delete files, unless a backup is reading them."""
        try:
            with held(self._images.folder, wait_seconds=0):
                for digest in digests:
                    self._images.remove(digest)
        except StoreUnavailable:
            _log.info("pictures that no posting shows stay until the backup is done")


def _shown(connection: sqlite3.Connection, digest: bytes) -> bool:
    return connection.execute("SELECT 1 FROM posting WHERE image = ?", (digest,)).fetchone() is not None


def _forget_computed(connection: sqlite3.Connection, digests: Iterable[bytes]) -> None:
    for digest in digests:
        connection.execute("DELETE FROM embedding WHERE digest = ?", (digest,))
        connection.execute("DELETE FROM hash WHERE digest = ?", (digest,))
