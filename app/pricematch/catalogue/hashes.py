"""64-bit perceptual hashes: how many bits two pictures' hashes differ in.

The hashes are those of `imagehash.phash` (a discrete cosine transform of the 32×32 greyscale picture, its lowest 8×8
frequencies against their median), which the competition's column `image_phash` holds as 16 hexadecimal digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BITS = 64


@dataclass(frozen=True, eq=False)
class Hashes:
    """The hashes of a catalogue.

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

    def joined(self, more: "Hashes") -> "Hashes":
        """These and some more behind them."""
        return Hashes(np.concatenate([self.values, more.values]), np.concatenate([self.known, more.known]))


def parse_hashes(texts: Sequence[str | None]) -> Hashes:
    """Hashes from 16 hexadecimal digits each, or None."""
    values = np.array([int(text or "0", 16) for text in texts], np.uint64)
    return Hashes(values, np.array([text is not None for text in texts], bool))
