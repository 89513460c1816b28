"""A file that says, outside of the database and its write-ahead log, how many changes were acknowledged."""

import fcntl
import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from pricematch.formats.atomic_writes import sync_folder

_MARK = "pricematch witness 1"
_BYTES = 256


class Witnessed(NamedTuple):
    """What a witness says.

    Attributes:
        identity: of the database.
        changes: how many transactions of it were acknowledged, at least.
    """

    identity: str
    changes: int

    def fault(self, said: "Witnessed | None") -> str | None:
        """What is wrong with a database of which this is true, if a witness has said something else."""
        if said is None:
            return "missing or damaged: whether the database lacks changes cannot be told" if self.changes else None
        if said.identity != self.identity:
            return "it is another database than the one that the witness and the images belong to"
        if said.changes > self.changes:
            return (
                f"it ends at transaction {self.changes}, and {said.changes} were acknowledged: the file of its "
                "write-ahead log (-wal) is missing or damaged, or these are files of different times"
            )
        return None


class Witness:
    """The witness of a store.

    It is written after a commit, so it never says more than the database holds: if it does, changes that were
    acknowledged are lost. A process that is killed in between leaves it behind the database, which is no fault.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Witnessed | None:
        """What it says; None where it is absent or damaged."""
        try:
            return _parsed(self.path.read_bytes())
        except OSError:
            return None

    def begin(self, said: Witnessed) -> None:
        """Say so from now on, unless another process has said more of this database; raises OSError."""
        self._say(said, os.O_CREAT, anew=True)

    def record(self, said: Witnessed) -> None:
        """The same, for a witness that is there and whole: one that is not cannot vouch for what was before."""
        with suppress(FileNotFoundError):
            self._say(said, 0, anew=False)

    def forget(self) -> None:
        """Say nothing; raises OSError."""
        with suppress(FileNotFoundError):
            self.path.unlink()
        sync_folder(self.path.parent)

    def _say(self, said: Witnessed, how: int, *, anew: bool) -> None:
        descriptor = os.open(self.path, os.O_RDWR | how, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            before = _parsed(os.pread(descriptor, 2 * _BYTES, 0))
            if anew if before is None or before.identity != said.identity else before.changes < said.changes:
                self._write(descriptor, said)
        finally:
            os.close(descriptor)

    def _write(self, descriptor: int, said: Witnessed) -> None:
        grows = os.fstat(descriptor).st_size != _BYTES
        os.pwrite(descriptor, _line(said), 0)  # one sector, of one size
        if grows:
            os.ftruncate(descriptor, _BYTES)
            os.fsync(descriptor)
            sync_folder(self.path.parent)
        else:
            os.fdatasync(descriptor)


def _line(said: Witnessed) -> bytes:
    text = f"{_MARK} {said.identity} {said.changes}"
    digest = blake2b(text.encode("ascii"), digest_size=8).hexdigest()
    return f"{text} {digest}".ljust(_BYTES - 1).encode("ascii") + b"\n"


def _parsed(content: bytes) -> Witnessed | None:
    try:
        *_, identity, changes, _ = content.decode("ascii").split()
        said = Witnessed(identity, int(changes))
        return said if _line(said) == content else None
    except ValueError:
        return None
