"""Images that no posting shows any more: their files, and what was computed from them."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pricematch.errors import StoreDamaged, StoreError, StoreUnavailable
from pricematch.store.folder import damaged, held, store_errors
from pricematch.store.image_files import ImageFiles
from pricematch.store.sqlite.checksums import COMPUTED
from pricematch.store.sqlite.database import Database
from pricematch.store.sqlite.shown_images import is_shown, shown_behind

LEFT_BY_A_KILL = 128
"""Images that a process that was killed may have placed for postings it had not stored yet."""
_AT_ONCE = 500
_log = logging.getLogger("pricematch")


@dataclass(frozen=True, slots=True)
class _Compared:
    """How many images postings show, those that none shows, and those that are shown and are not there."""

    shown: int
    unshown: list[bytes]
    missing: list[bytes]


class UnusedImages:
    """Takes images away that no posting shows.

    One whose last posting goes is deleted; one that is found unshown is set aside, and taken back if it is shown again.
    All in transactions that alone may write, so that no posting can come or cease to show it meanwhile. What cannot
    be deleted now goes with the next one, or is set aside behind the next backup, or when the store is next opened
    to be served.

    Attributes:
        lost: images that were set aside.
    """

    def __init__(self, database: Database, images: ImageFiles, lost: ImageFiles) -> None:
        self._database = database
        self._images = images
        self.lost = lost
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
            with self._database.write(witness=False) as connection:
                unshown = [digest for digest in looked_at if not is_shown(connection, digest)]
                self._take_away(connection, unshown, self._images.remove)
        except StoreError as error:
            _still_there(error)
            self.doubt(looked_at)

    def sweep(self, tolerated: int | None) -> None:
        """Move every image that no posting shows to `lost+found`, and take back those that postings show again.

        Nothing is deleted: the database may be older than the images. Those that are missing are counted in the log.

        Args:
            tolerated: where more images than that are not shown, and more than are, the database may be incomplete,
                and all stays as it is; None: it is known to be whole.

        Raises:
            StoreDamaged: it may be incomplete.
            StoreError: not all of it could be done.
        """
        with store_errors(self._images.folder):
            found = self._compared()
            if (fault := self._incomplete(found, tolerated)) is not None:
                raise fault
            moved = self._set_aside(found.unshown)
            taken_back, gone = self._take_back(found.missing)
        if moved:
            _log.warning("%d images that no posting shows were moved to %s", moved, self.lost.folder)
        if taken_back:
            _log.warning("%d images that postings show were taken back from %s", taken_back, self.lost.folder)
        if gone:
            _log.warning("%d images that postings show are not in %s", gone, self._images.folder)

    def purge(self, days: int) -> None:
        """Delete images that have been in `lost+found` for so many days; raises StoreError."""
        oldest, deleted = time.time() - days * 86400, 0
        with store_errors(self.lost.folder):
            for prefix in range(256):
                for digest in self.lost.digests(bytes([prefix])):
                    if self.lost.path(digest).stat().st_mtime < oldest:
                        self.lost.remove(digest)
                        deleted += 1
        if deleted:
            _log.info("%d images were deleted from %s after %d days", deleted, self.lost.folder, days)

    @contextmanager
    def kept(self, tolerated: int | None = 0) -> Iterator[None]:
        """No image is deleted meanwhile, by any process; behind the block there is a `sweep` instead.

        Whether the database may be incomplete is told before the block: behind it most images may be unshown only
        because their postings were deleted or replaced meanwhile.
        """
        folder = self._images.folder
        with store_errors(folder), held(folder, shared=True, wait_seconds=self._database.wait_seconds):
            fault = self._incomplete(self._compared(), tolerated)
            yield
        try:
            if fault is not None:
                raise fault
            self.sweep(tolerated=None)
        except StoreError as error:
            _still_there(error)

    def _compared(self) -> _Compared:
        """The images there are, and those that postings show."""
        shown, unshown, missing = 0, list[bytes](), list[bytes]()
        for prefix in (bytes([first]) for first in range(256)):
            there = self._images.digests(prefix)  # before the database is read, so that one that comes is not missing
            with self._database.read() as connection:
                named = shown_behind(connection, prefix)
            shown += len(there & named)
            unshown += there - named
            missing += [digest for digest in named - there if not self._images.has(digest)]
        return _Compared(shown, unshown, missing)

    def _incomplete(self, found: _Compared, tolerated: int | None) -> StoreDamaged | None:
        """Why the database may be incomplete, as `sweep` tells it, if it may be."""
        unshown = len(found.unshown)
        if tolerated is None or unshown <= max(found.shown, tolerated):
            return None
        return damaged(
            self._images.folder.parent,
            f"its postings show {found.shown} of its {found.shown + unshown} images; the others' postings are lost",
        )

    def _set_aside(self, digests: Sequence[bytes]) -> int:
        """Move those of some images that are still there, and that no posting shows, to `lost+found`: how many."""
        moved = 0
        for some in _in_turns(digests):
            with self._database.write(witness=False) as connection:
                unshown = [digest for digest in some if self._images.has(digest) and not is_shown(connection, digest)]
                moved += self._take_away(connection, unshown, self._lose)
        return moved

    def _take_back(self, digests: Sequence[bytes]) -> tuple[int, int]:
        """Take back from `lost+found` those that postings still show: how many, and how many are in neither place."""
        taken_back = gone = 0
        for some in _in_turns(digests):
            with self._database.write(witness=False) as connection:
                missing = [digest for digest in some if is_shown(connection, digest) and not self._images.has(digest)]
                found = sum(self._images.take_back(digest, self.lost) for digest in missing)
            taken_back, gone = taken_back + found, gone + len(missing) - found
        return taken_back, gone

    def _lose(self, digest: bytes) -> None:
        self._images.move(digest, self.lost)

    def _take_away(
        self, connection: sqlite3.Connection, digests: Sequence[bytes], take: Callable[[bytes], None]
    ) -> int:
        """Take images away, and what was computed from them; the files stay while a backup is reading them."""
        if not digests:
            return 0
        for table in COMPUTED:
            connection.executemany(f"DELETE FROM {table} WHERE digest = ?", [(digest,) for digest in digests])
        try:
            with held(self._images.folder, wait_seconds=0):
                for digest in digests:
                    take(digest)
        except StoreUnavailable:
            _log.info("images that no posting shows stay until the backup is done")
            return 0
        return len(digests)


def _in_turns(digests: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The digests in parts, so that others that write need not wait for all of them."""
    for first in range(0, len(digests), _AT_ONCE):
        yield digests[first : first + _AT_ONCE]


def _still_there(error: StoreError) -> None:
    _log.warning("images that no posting shows are still there: %s", error)
