"""Perceptual hashes of images, as arrays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BITS = 64
"""Bits of a perceptual hash."""
ONE_COLOUR = "one colour"
"""Stands where the hash of an image would, of one that shows nothing: it is no evidence for anything."""


@dataclass(frozen=True, eq=False)
class Hashes:
    """64-bit perceptual hashes of postings, as `imagehash.phash` computes them.

    Each is a discrete cosine transform of the 32×32 greyscale image, its lowest 8×8 frequencies against their median;
    the competition's column `image_phash` holds them as 16 hexadecimal digits.

    Attributes:
        values: uint64 [n]; 0 where there is none.
        known: bool [n], whether the posting has one.
    """

    values: NDArray[np.uint64]
    known: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.values)

    def select(self, rows: NDArray[np.integer]) -> "Hashes":
        """The hashes of some postings, in the order given."""
        return Hashes(self.values[rows], self.known[rows])

    __getitem__ = select

    def joined(self, more: "Hashes") -> "Hashes":
        """These and some more behind them."""
        return Hashes(np.concatenate([self.values, more.values]), np.concatenate([self.known, more.known]))


def parse_hashes(texts: Sequence[str | None]) -> Hashes:
    """Hashes from 16 hexadecimal digits each; None and `ONE_COLOUR` are none."""
    known = np.array([text not in (None, ONE_COLOUR) for text in texts], bool)
    digits = [text or "0" if there else "0" for text, there in zip(texts, known, strict=True)]
    return Hashes(np.array([int(text, 16) for text in digits], np.uint64), known)


def decisive_hashes(own: Iterable[str | None], computed: Iterable[str | None]) -> list[str | None]:
    """Of each posting its own hash, else that of its image; `ONE_COLOUR` where its image is."""
    pairs = zip(own, computed, strict=True)
    return [found if found == ONE_COLOUR else given or found for given, found in pairs]
