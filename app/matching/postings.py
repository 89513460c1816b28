"""Postings, and the catalogue that holds them in order."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.errors import CatalogueError, PostingNotFound

POSTING_ID_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.:@+~-]{0,127}$"
_POSTING_ID = re.compile(POSTING_ID_PATTERN)


def is_posting_id(text: str) -> bool:
    """Whether `text` may name a posting: 1–128 letters, digits or `_ . : @ + ~ -`, the first a letter, digit or `_`."""
    return _POSTING_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Posting:
    """One seller's listing.

    Attributes:
        posting_id: unique in its catalogue.
        image: name of the picture file inside the image folder, or None where it has none.
        title: decoded text, "" where absent.
        image_phash: 16 hexadecimal digits (64 bits), or None.
        label_group: ground truth, the same for postings of the same product, or None.
    """

    posting_id: str
    image: str | None
    title: str = ""
    image_phash: str | None = None
    label_group: str | None = None


class Catalogue:
    """Postings in order; a posting's *row* is its position, from 0.

    Raises:
        CatalogueError: an id occurs twice.
    """

    def __init__(self, postings: Sequence[Posting]) -> None:
        self._postings = tuple(postings)
        self._rows = {posting.posting_id: row for row, posting in enumerate(self._postings)}
        if len(self._rows) != len(self._postings):
            raise CatalogueError(f"expected unique ids, got {len(self._postings)} postings of {len(self._rows)} ids")

    def __len__(self) -> int:
        return len(self._postings)

    def __iter__(self) -> Iterator[Posting]:
        return iter(self._postings)

    def holds(self, posting_id: str) -> bool:
        """Whether a posting has this id."""
        return posting_id in self._rows

    def __getitem__(self, row: int) -> Posting:
        return self._postings[row]

    @property
    def posting_ids(self) -> Sequence[str]:
        """The ids in order."""
        return tuple(self._rows)

    def row(self, posting_id: str) -> int:
        """Position of a posting.

        Raises:
            PostingNotFound: no posting has this id.
        """
        try:
            return self._rows[posting_id]
        except KeyError:
            raise PostingNotFound(posting_id) from None

    def posting(self, posting_id: str) -> Posting:
        """The posting with this id; raises PostingNotFound."""
        return self._postings[self.row(posting_id)]

    def one_per_image(self) -> "Catalogue":
        """The first posting of each image name, as the notebook cleans its data; those without one left out."""
        seen = {posting.image: posting for posting in reversed(self._postings) if posting.image is not None}
        return Catalogue([posting for posting in self._postings if seen.get(posting.image or "") is posting])
