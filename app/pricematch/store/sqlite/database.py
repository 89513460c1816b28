"""One SQLite database that several threads and processes read and write at the same time."""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import partial
from pathlib import Path

from pricematch.errors import StoreUnavailable
from pricematch.store.folder import store_errors
from pricematch.store.witness import Witness, Witnessed

_log = logging.getLogger("pricematch")
_READERS = 4
_SETTINGS = (
    "trusted_schema = OFF",
    "cell_size_check = ON",
    "foreign_keys = ON",
    "synchronous = FULL",
    "journal_size_limit = 67108864",  # bytes of the write-ahead log that are not given back
)


class Mode(Enum):
    """How a database is opened, in the words of SQLite's URIs."""

    CREATE = "mode=rwc"
    WRITE = "mode=rw"
    READ = "mode=ro"
    UNCHANGING = "mode=ro&immutable=1"


def mode_of(path: Path, *, writable: bool) -> Mode:
    """How to open a database that is there.

    Without the right to write, SQLite reads one that has files of a write-ahead log, and else one
    that does not change.
    """
    if writable:
        return Mode.WRITE
    return Mode.READ if path.with_name(f"{path.name}-wal").exists() else Mode.UNCHANGING


def connect(path: Path, mode: Mode, wait_seconds: float) -> sqlite3.Connection:
    """A connection whose commits are on the disk when they return; raises sqlite3.Error.

    Args:
        path: the database.
        mode: how to open it.
        wait_seconds: how long to wait for another process that is writing.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{mode.value}",
        uri=True,
        timeout=wait_seconds,
        isolation_level=None,
        check_same_thread=False,
    )
    # so that text that was damaged can be read, and told by its checksum
    connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
    try:
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}")
    except BaseException:
        connection.close()
        raise
    return connection


def witnessed(connection: sqlite3.Connection) -> Witnessed:
    """What the witness of a database is to say."""
    return Witnessed(*connection.execute("SELECT identity, changes FROM catalogue").fetchone())


def _counted(connection: sqlite3.Connection) -> Witnessed:
    """The same, with a transaction that is under way."""
    statement = "UPDATE catalogue SET changes = changes + 1 RETURNING identity, changes"
    return Witnessed(*connection.execute(statement).fetchone())


def log_ahead(connection: sqlite3.Connection, path: Path) -> None:
    """Have a database write ahead into a log, so that others read while one writes; raises StoreUnavailable."""
    journal = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if journal != "wal":
        raise StoreUnavailable(f"{path} cannot keep a write-ahead log (it has the journal {journal!r})")


class Database:
    """Transactions on one database: one that writes at a time, and several that read meanwhile.

    Args:
        path: the database; its schema is up to date.
        mode: how to open it.
        wait_seconds: how long to wait for a connection, or for another process that is writing.
        witness: gets to know of every transaction that changed something.
    """

    def __init__(self, path: Path, mode: Mode, wait_seconds: float, witness: Witness) -> None:
        self.path = path
        self.mode = mode
        self.wait_seconds = wait_seconds
        self._witness = witness
        self._writing = threading.BoundedSemaphore(1)
        self._writer: sqlite3.Connection | None = None
        self._committed: Witnessed | None = None
        self._recording, self._recorded = threading.Lock(), 0
        self._reading = threading.BoundedSemaphore(_READERS)
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one version of everything; raises StoreError."""
        with store_errors(self.path), self._turn(self._reading):
            connection = self._take()
            try:
                connection.execute("BEGIN")
                yield connection
                connection.execute("ROLLBACK")
            except BaseException:
                connection.close()  # a connection that failed once is not trusted again
                raise
            self._idle.append(connection)
            if self._closed:
                self._close_idle()

    @contextmanager
    def write(self, *, witness: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction that is kept behind the block, or undone where that raises; raises StoreError.

        Args:
            witness: whether its loss would have to be told; not that of what is computed again.
        """
        if self.mode not in {Mode.CREATE, Mode.WRITE}:
            raise StoreUnavailable(f"{self.path} cannot be written to (it is read-only)")
        with store_errors(self.path), self._turn(self._writing):
            self._writer = connection = self._writer or self._connect()
            connection.execute("BEGIN IMMEDIATE")
            before = connection.total_changes
            try:
                yield connection
                said = _counted(connection) if witness and connection.total_changes > before else None
                connection.execute("COMMIT")
            except BaseException as error:
                self._undo(connection, error)
                raise
            self._committed = said or self._committed
        if said is not None:
            self._record(said)

    def close(self) -> None:
        """Close the connections; a transaction that is under way is waited for."""
        self._closed = True
        with self._writing:
            if self._writer is not None:
                self._writer.close()
            self._writer = None
        self._close_idle()

    def _record(self, said: Witnessed) -> None:
        """Tell the witness of a commit; where it cannot be written, the change is made and kept all the same.

        The next transaction is made meanwhile. Of several that wait to be told of, the last one speaks for all.
        """
        try:
            with self._recording:
                if self._recorded < said.changes:
                    last = self._committed or said
                    self._witness.record(last)
                    self._recorded = last.changes
        except OSError as error:
            _log.warning("%s cannot be written (%s): losses would go unnoticed", self._witness.path, error.strerror)

    @contextmanager
    def _turn(self, gate: threading.BoundedSemaphore) -> Iterator[None]:
        if not gate.acquire(timeout=self.wait_seconds):
            raise StoreUnavailable(f"{self.path} was busy for {self.wait_seconds:g} seconds")
        try:
            if self._closed:
                raise StoreUnavailable(f"{self.path} is closed")
            yield
        finally:
            gate.release()

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        return connect(self.path, self.mode, self.wait_seconds)

    def _undo(self, connection: sqlite3.Connection, error: BaseException) -> None:
        """Undo the transaction; a connection that failed is not trusted again."""
        if not isinstance(error, sqlite3.Error) and connection.in_transaction:
            connection.execute("ROLLBACK")
        else:
            self._writer = None
            connection.close()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()
