"""Which postings show an image, in whichever place: a look-up by images beside the postings' own rows.

The first image of a posting is found by an index of `posting`, the others by the table `more_image`. That is written
in the transaction of its posting and says nothing else than `posting.more_images`, of which it can be made anew.
"""

import logging
import sqlite3
from collections.abc import Iterator, Sequence

from pricematch.store.image_files import DIGEST_BYTES, image_digest
from pricematch.store.sqlite.database import Database

_log = logging.getLogger("pricematch")
_SHOWN = (
    "(SELECT image, posting_id FROM posting WHERE image IS NOT NULL UNION ALL SELECT image, posting_id FROM more_image)"
)


def joined(names: Sequence[str]) -> bytes | None:
    """The digests of images behind a first as a column has them; None for none. Raises ValueError."""
    return b"".join(map(image_digest, names)) or None


def digests(column: bytes | None) -> list[bytes]:
    """The digests in a column that `joined` has made."""
    column = column or b""
    return [column[first : first + DIGEST_BYTES] for first in range(0, len(column), DIGEST_BYTES)]


def write_more(connection: sqlite3.Connection, posting_id: str, column: bytes | None) -> None:
    """Let a posting be found by the images behind its first, and by no others any more."""
    connection.execute("DELETE FROM more_image WHERE posting_id = ?", (posting_id,))
    _insert(connection, [(posting_id, column)] if column else [])


def is_shown(connection: sqlite3.Connection, digest: bytes) -> bool:
    """Whether any posting shows an image."""
    return bool(showing(connection, digest, 1))


def showing(connection: sqlite3.Connection, digest: bytes, limit: int) -> list[str]:
    """The ids of some postings that show an image."""
    rows = connection.execute(f"SELECT DISTINCT posting_id FROM {_SHOWN} WHERE image = ? LIMIT ?", (digest, limit))
    return [posting_id for (posting_id,) in rows]


def shown_behind(connection: sqlite3.Connection, prefix: bytes) -> set[bytes]:
    """The images that postings show whose digests begin so."""
    last = prefix + b"\xff" * DIGEST_BYTES
    rows = connection.execute(f"SELECT image FROM {_SHOWN} WHERE image BETWEEN ? AND ?", (prefix, last))
    return {image for (image,) in rows}


def shown_images(connection: sqlite3.Connection) -> list[bytes]:
    """All images that postings show, each once, in ascending order, as the rows of the postings themselves say."""
    rows = connection.execute("SELECT image, more_images FROM posting WHERE image IS NOT NULL")
    return sorted({digest for image, column in rows for digest in (image, *digests(column))})


def count_more(connection: sqlite3.Connection) -> int:
    """How many images postings show behind their first."""
    return int(connection.execute("SELECT count(*) FROM more_image").fetchone()[0])


def look_up_fault(connection: sqlite3.Connection) -> str | None:
    """Where the look-up says something else than the postings; None where it does not."""
    found = set(connection.execute("SELECT posting_id, image FROM more_image"))
    expected = {(posting_id, image) for posting_id, column in _columns(connection) for image in digests(column)}
    if found == expected:
        return None
    lacking, beyond = len(expected - found), len(found - expected)
    return f"the table more_image lacks {lacking} images that postings show, and has {beyond} that they do not"


def make_anew(connection: sqlite3.Connection) -> None:
    """Make the look-up anew of what the postings say."""
    connection.execute("DELETE FROM more_image")
    _insert(connection, _columns(connection).fetchall())


def mend_look_up(database: Database) -> None:
    """Make the look-up anew where it disagrees with the postings, whose rows were found right; raises StoreError."""
    with database.read() as connection:
        fault = look_up_fault(connection)
    if fault is not None:
        with database.write(witness=False) as connection:
            make_anew(connection)
        _log.warning("%s: %s; it was made anew", database.path, fault)


def _columns(connection: sqlite3.Connection) -> sqlite3.Cursor:
    return connection.execute("SELECT posting_id, more_images FROM posting WHERE more_images IS NOT NULL")


def _insert(connection: sqlite3.Connection, columns: Sequence[tuple[str, bytes | None]]) -> None:
    connection.executemany("INSERT OR IGNORE INTO more_image (image, posting_id) VALUES (?, ?)", _rows(columns))


def _rows(columns: Sequence[tuple[str, bytes | None]]) -> Iterator[tuple[bytes, str]]:
    return ((image, posting_id) for posting_id, column in columns for image in digests(column))
