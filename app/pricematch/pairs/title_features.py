"""Pair features of titles: how much of their words two titles share, and how rare it is."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.pairs.equal_values import occurrences
from pricematch.pairs.neighbours import low_high
from pricematch.pairs.profiles import TitleProfiles
from pricematch.search.sparse import reduced, runs_of, shared_values
from pricematch.titles.comparison import TitleAttributes
from pricematch.titles.normalise import ParsedTitle
from pricematch.titles.vectors import TfIdf

WORDS = (
    "shared_weight",
    "apart_low",
    "apart_high",
    "shared_of_shorter",
    "shared_of_longer",
    "rarest_shared",
    "words_low",
    "words_high",
    "characters_low",
    "characters_high",
    "same_first_word",
    "same_title",
    "title_repeats_low",
    "title_repeats_high",
)
"""Names of the features, in order."""
_BLOCK = 128 * 1024
_FLOOR = 1e-3


class TitleWords:
    """The weighted words of a catalogue's titles.

    Args:
        titles: n.
        weights: of words, fitted to these titles.
    """

    def __init__(self, titles: Sequence[ParsedTitle], weights: TfIdf) -> None:
        self._weights = weights
        self._keys = np.sort(_keys(titles))

    def profiles(self, titles: Sequence[ParsedTitle], vectors: csr_array, *, new: bool) -> TitleProfiles:
        """The profiles of titles.

        Args:
            titles: m.
            vectors: float32 [m, words], of these by the weights.
            new: whether they are not the catalogue's but come on top of it, each by itself.
        """
        weights, totals = self._weights.weights(vectors)
        keys = _keys(titles)
        return TitleProfiles(
            weights,
            totals,
            np.array([len(title.words) for title in titles], np.intp),
            np.array([len(title.text) for title in titles], np.intp),
            keys,
            occurrences(keys, self._keys) + new,
            np.array([_key(title.words[:1]) for title in titles], np.int64),
            TitleAttributes.of(titles),
        )


def word_features(
    left: TitleProfiles, right: TitleProfiles, left_rows: NDArray[np.integer], right_rows: NDArray[np.integer]
) -> NDArray[np.float32]:
    """Float32 [m, `WORDS`] of pairs; NaN where one of the titles has no word. New titles repeat those they equal."""
    shared, rarest = _shared(left.weights, right.weights, left_rows, right_rows)
    total = left.totals[left_rows], right.totals[right_rows]
    same = left.keys[left_rows] == right.keys[right_rows]
    columns = (
        shared,
        *low_high(total[0] - shared, total[1] - shared),
        shared / np.maximum(np.minimum(*total), _FLOOR),
        shared / np.maximum(np.maximum(*total), _FLOOR),
        rarest,
        *low_high(left.words[left_rows], right.words[right_rows]),
        *low_high(left.characters[left_rows], right.characters[right_rows]),
        left.first[left_rows] == right.first[right_rows],
        same,
        *low_high(left.repeats[left_rows], np.where(same, left.repeats[left_rows], right.repeats[right_rows])),
    )
    found = np.empty((len(left_rows), len(WORDS)), np.float32)
    for column, values in enumerate(columns):
        found[:, column] = values
    found[(left.words[left_rows] == 0) | (right.words[right_rows] == 0)] = np.nan
    return found


def _shared(
    left: csr_array, right: csr_array, left_rows: NDArray[np.integer], right_rows: NDArray[np.integer]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The weight of the words that two titles share: its sum and its maximum, float32 [m] each."""
    total, largest = np.zeros(len(left_rows), np.float32), np.zeros(len(left_rows), np.float32)
    if not left.shape[1]:  # no title has a word, and SciPy has no maximum of nothing
        return total, largest
    if (runs := runs_of(left_rows)) is not None:
        for run in runs:
            starts, ours, theirs = shared_values(left, left_rows[run.start], right, right_rows[run])
            both = np.minimum(ours, theirs)
            total[run], largest[run] = reduced(np.add, both, starts), reduced(np.maximum, both, starts)
        return total, largest
    for first in range(0, len(left_rows), _BLOCK):
        piece = slice(first, first + _BLOCK)
        both = left[left_rows[piece]].minimum(right[right_rows[piece]]).tocsr()
        total[piece] = both.sum(axis=1)
        largest[piece] = both.max(axis=1).toarray().ravel()
    return total, largest


def _keys(titles: Sequence[ParsedTitle]) -> NDArray[np.int64]:
    return np.array([_key(title.words) for title in titles], np.int64)


def _key(words: Sequence[str]) -> int:
    """63 bits of a digest of words, −1 for none."""
    if not words:
        return -1
    return int.from_bytes(blake2b(" ".join(words).encode(), digest_size=8).digest(), "big") >> 1
