"""Postings prepared to be one side of many pairs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from pricematch.catalogue.hashes import Hashes
from pricematch.pairs.rank_features import Standing
from pricematch.titles.comparison import TitleAttributes


@dataclass(frozen=True, eq=False)
class Titled:
    """What pairs of titles are compared by.

    Attributes:
        weights: float32 [n, words], the weight of each word of a title.
        totals: float64 [n], the sum of a title's weights.
        words, characters: intp [n].
        keys: int64 [n], the same for the same words in the same order; −1 for no word.
        repeats: intp [n], titles of the catalogue with that key, the posting's own included.
        first: int64 [n], the same for the same first word; −1 for no word.
        facts: n.
    """

    weights: csr_array
    totals: NDArray[np.float64]
    words: NDArray[np.intp]
    characters: NDArray[np.intp]
    keys: NDArray[np.int64]
    repeats: NDArray[np.intp]
    first: NDArray[np.int64]
    facts: TitleAttributes

    def joined(self, more: "Titled") -> "Titled":
        """These and some more behind them."""
        return Titled(
            csr_array(vstack([self.weights, more.weights])),
            np.concatenate([self.totals, more.totals]),
            np.concatenate([self.words, more.words]),
            np.concatenate([self.characters, more.characters]),
            np.concatenate([self.keys, more.keys]),
            np.concatenate([self.repeats, more.repeats]),
            np.concatenate([self.first, more.first]),
            self.facts.joined(more.facts),
        )


@dataclass(frozen=True, eq=False)
class Side:
    """n postings as one side of pairs.

    Attributes:
        catalogue_size: postings they are seen among, themselves included.
        described: by space, the postings as it holds them.
        standings: by space, against the catalogue.
        titled: None where titles are no signal.
        hashes: None where hashes are no signal.
        hash_repeats: intp [n], hashes of the catalogue that are equal, the posting's own included.
        images: uint64 [n], keys of the pictures' bytes, 0 where unknown.
    """

    catalogue_size: int
    described: dict[str, Any]
    standings: dict[str, Standing]
    titled: Titled | None
    hashes: Hashes | None
    hash_repeats: NDArray[np.intp]
    images: NDArray[np.uint64]


def occurrences(values: NDArray[np.generic], ascending: NDArray[np.generic]) -> NDArray[np.intp]:
    """How often each of some values [n] occurs among others, which are sorted; intp [n]."""
    found: NDArray[np.intp] = np.searchsorted(ascending, values, "right") - np.searchsorted(ascending, values, "left")
    return found
