"""Postings, and the catalogue that holds them in order."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.metadata import NO_METADATA, Metadata
from pricematch.catalogue.rows import NOWHERE, Chunks, RowLog
from pricematch.errors import CatalogueError, PostingNotFound

POSTING_ID_RULE = (
    "1–128 bytes of UTF-8: letters, marks, digits, inner blanks or _ . : @ + ~ -, the first a letter, digit or _"
)
"""What `is_posting_id` asks, for errors and documentation."""
MAX_POSTING_ID_BYTES = 128
MAX_IMAGES = 8
"""Images of a posting."""
MAX_LABEL_CHARS = 256
"""Characters of a label group that is stored."""
_ASCII_ID = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.:@+~ -]*[A-Za-z0-9_.:@+~-])?")
_SIGNS = frozenset("_.:@+~- ")
_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Marks and letters that show nothing: two ids that differ by them would look the same."""
_MAX_DECOMPOSED = 4 * MAX_POSTING_ID_BYTES


def is_posting_id(text: str) -> bool:
    """Whether `text` may name a posting; letters, marks and digits are of any script, the text in Unicode's NFC.

    >>> [is_posting_id(text) for text in ("sku-7", "Größe 38", "รองเท้า_1", " a", "a/b", ".")]
    [True, True, True, False, False, False]
    """
    if text.isascii():
        return len(text) <= MAX_POSTING_ID_BYTES and _ASCII_ID.fullmatch(text) is not None
    if not text or text[0] in _SIGNS - {"_"} or text[-1] == " ":
        return False
    if len(text.encode("utf-8", "surrogatepass")) > MAX_POSTING_ID_BYTES:
        return False
    classes = [unicodedata.category(mark) for mark in text]
    if classes[0][0] == "M" or _INVISIBLE.search(text) or not unicodedata.is_normalized("NFC", text):
        return False
    return all(mark in _SIGNS or of[0] in "LM" or of == "Nd" for mark, of in zip(text, classes, strict=True))


def as_posting_id(text: str) -> str:
    """An id as it is stored and compared: in NFC, since one system writes é as one character and another as two."""
    return text if len(text) > _MAX_DECOMPOSED else unicodedata.normalize("NFC", text)


@dataclass(frozen=True, slots=True)
class Posting:
    """One seller's listing.

    Attributes:
        posting_id: unique in its catalogue.
        image: name of the image file inside the image folder, or None where it has none.
        title: decoded text, "" where absent.
        image_phash: 16 hexadecimal digits (64 bits), or None.
        label_group: ground truth, the same for postings of the same product, or None.
        metadata: fields of its seller's own; those that are evidence can be matched by, no others.
        more_images: names of its images behind the first, at most `MAX_IMAGES` − 1; none where it has no first.
    """

    posting_id: str
    image: str | None
    title: str = ""
    image_phash: str | None = None
    label_group: str | None = None
    metadata: Metadata = NO_METADATA
    more_images: tuple[str, ...] = ()

    @property
    def images(self) -> tuple[str, ...]:
        """The names of all its images, each in its place."""
        return () if self.image is None else (self.image, *self.more_images)

    def with_images(self, names: Iterable[str]) -> "Posting":
        """The same with these images instead; one that is named again keeps its first place alone."""
        distinct = tuple(dict.fromkeys(names))
        return replace(self, image=distinct[0] if distinct else None, more_images=distinct[1:])

    def matches_as(self, other: "Posting") -> bool:
        """Whether it differs from another in its metadata at most."""
        return self is other or _MATCHED(self) == _MATCHED(other)


_MATCHED = attrgetter(*(field.name for field in fields(Posting) if field.name != "metadata"))
"""All of a posting but its metadata."""


class Catalogue:
    """Postings in rows. Immutable; safe to use from several threads.

    A posting's *row* is its position, from 0. A changed catalogue keeps the rows there were: what is replaced or
    removed leaves a row behind that is no longer alive, and what is new gets one at the end. So a change costs what is
    changed, and the catalogue of before stays as it is. A posting that gets other metadata keeps its row.

    Raises:
        CatalogueError: an id occurs twice.
    """

    def __init__(self, postings: Sequence[Posting]) -> None:
        self._log, self._postings = RowLog([it.posting_id for it in postings]), Chunks.of(postings)
        self._span = len(self._log.previous)
        self.alive: NDArray[np.bool_] = np.ones(self._span, np.bool_)
        """bool [span], which rows hold a posting of this catalogue."""
        self._count = self._span
        if len(self._log.latest) != self._span:
            raise CatalogueError(f"expected unique ids, got {self._span} postings of {len(self._log.latest)} ids")

    @property
    def span(self) -> int:
        """Rows, alive or not."""
        return self._span

    @property
    def newest(self) -> bool:
        """Whether it can be changed: no rows have been put behind its own yet."""
        return len(self._log.previous) == self._span

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Posting]:
        return iter(self.select(self.rows))

    def holds(self, posting_id: str) -> bool:
        """Whether a posting has this id."""
        return self._find(posting_id) is not None

    def __getitem__(self, row: int) -> Posting:
        """The posting of a row, alive or not."""
        return self._postings[row]

    def metadata_of(self, row: int) -> Metadata:
        """The metadata of the posting of a row, alive or not."""
        return self._postings[row].metadata

    def select(self, rows: Iterable[int]) -> list[Posting]:
        """The postings of some rows, alive or not, in the order given."""
        postings = self._postings
        return [postings[row] for row in rows]

    def ids_of(self, rows: Iterable[int]) -> list[str]:
        """The posting_ids of some rows, alive or not, in the order given."""
        postings = self._postings
        return [postings[row].posting_id for row in rows]

    @property
    def rows(self) -> NDArray[np.intp]:
        """The rows that are alive, ascending."""
        return np.flatnonzero(self.alive)

    @cached_property
    def by_id(self) -> NDArray[np.intp]:
        """The rows that are alive, by ascending ids of their postings."""
        return np.array(sorted(self.rows.tolist(), key=lambda row: self._postings[row].posting_id), np.intp)

    @property
    def posting_ids(self) -> Sequence[str]:
        """The ids in the order of their rows."""
        return tuple(self.ids_of(self.rows))

    def row(self, posting_id: str) -> int:
        """Row of a posting.

        Raises:
            PostingNotFound: no posting has this id.
        """
        row = self._find(posting_id)
        if row is None:
            raise PostingNotFound(posting_id)
        return row

    def located(self, posting_ids: Iterable[str]) -> dict[str, int]:
        """Rows of those postings that are there."""
        found = {posting_id: self._find(posting_id) for posting_id in posting_ids}
        return {posting_id: row for posting_id, row in found.items() if row is not None}

    def posting(self, posting_id: str) -> Posting:
        """The posting with this id; raises PostingNotFound."""
        return self._postings[self.row(posting_id)]

    def one_per_image(self) -> "Catalogue":
        """The first posting of each image name, as the notebook cleans its data; those without one left out."""
        postings = list(self)
        seen = {posting.image: posting for posting in reversed(postings) if posting.image is not None}
        return Catalogue([posting for posting in postings if seen.get(posting.image or "") is posting])

    def changed(self, put: Sequence[Posting], removed: Sequence[str]) -> "Catalogue":
        """The catalogue after a change; each catalogue can be changed once, by one thread at a time.

        Args:
            put: new postings, or ones in place of those with their ids, each id once; they get rows behind the last.
            removed: ids of postings that are no more; those that the catalogue does not hold are passed over.
        """
        gone = [self._find(posting_id) for posting_id in (*removed, *(posting.posting_id for posting in put))]
        changed: Catalogue = Catalogue.__new__(Catalogue)
        changed._log = self._log.extended([it.posting_id for it in put], self._span)
        changed._postings = self._postings.extended(put)
        changed._span = self._span + len(put)
        changed.alive = np.concatenate([self.alive, np.ones(len(put), np.bool_)])
        changed.alive[[row for row in gone if row is not None]] = False
        changed._count = int(changed.alive.sum())
        return changed

    def with_metadata(self, metadata: Mapping[int, Metadata]) -> "Catalogue":
        """The same postings in the same rows, some with other metadata, by their rows."""
        changed: Catalogue = Catalogue.__new__(Catalogue)
        vars(changed).update(vars(self))
        changed._postings = self._postings.replaced(
            {row: replace(self._postings[row], metadata=value) for row, value in metadata.items()}
        )
        return changed

    def changed_since(self, earlier: "Catalogue") -> NDArray[np.intp] | None:
        """The rows that an earlier catalogue had not, or with other metadata, ascending; None where none descends."""
        return self._postings.unlike(earlier._postings) if self._log is earlier._log else None

    def _find(self, posting_id: str) -> int | None:
        row = self._log.latest.get(posting_id, NOWHERE)
        while row >= self._span:  # of a later catalogue
            row = self._log.previous[row]
        return row if row != NOWHERE and self.alive[row] else None
