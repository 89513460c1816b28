"""The words of a catalogue's titles: how much of them two titles share, and how rare it is."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.pairs.profiles import TitleProfiles, occurrences
from pricematch.pairs.rank_features import low_high
from pricematch.titles.comparison import TitleAttributes, compare, summarise
from pricematch.titles.normalise import ParsedTitle
from pricematch.titles.vectors import TfIdf, words

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
    """

    def __init__(self, titles: Sequence[ParsedTitle]) -> None:
        self._terms = TfIdf(titles, words)
        self._known = np.sort(_keys(titles))

    def titles_with(self, word: str) -> int:
        """How many titles of the catalogue hold a word."""
        return self._terms.titles_with(word)

    def describe(self, titles: Sequence[ParsedTitle], *, own: bool) -> TitleProfiles:
        """Titles as a side of pairs; `own` ones are the catalogue's, others come on top of it."""
        weights, totals = self._terms.weights(titles)
        keys = _keys(titles)
        return TitleProfiles(
            weights,
            totals,
            np.array([len(title.words) for title in titles], np.intp),
            np.array([len(title.text) for title in titles], np.intp),
            keys,
            occurrences(keys, self._known) + (not own),
            np.array([_key(title.words[:1]) for title in titles], np.int64),
            TitleAttributes.of(titles),
        )


def word_evidence(
    left: TitleProfiles, right: TitleProfiles, lines: NDArray[np.integer], rows: NDArray[np.integer]
) -> NDArray[np.float32]:
    """float32 [m, `WORDS`] of pairs; NaN where one of the titles has no word. New titles repeat those they equal."""
    shared, rarest = _shared(left.weights, right.weights, lines, rows)
    total = left.totals[lines], right.totals[rows]
    same = left.keys[lines] == right.keys[rows]
    columns = [
        shared,
        *low_high(total[0] - shared, total[1] - shared),
        shared / np.maximum(np.minimum(*total), _FLOOR),
        shared / np.maximum(np.maximum(*total), _FLOOR),
        rarest,
        *low_high(left.words[lines], right.words[rows]),
        *low_high(left.characters[lines], right.characters[rows]),
        left.first[lines] == right.first[rows],
        same,
        *low_high(left.repeats[lines], np.where(same, left.repeats[lines], right.repeats[rows])),
    ]
    found = np.column_stack(columns).astype(np.float32)
    found[(left.words[lines] == 0) | (right.words[rows] == 0)] = np.nan
    return found


def fact_evidence(
    left: TitleProfiles, right: TitleProfiles, lines: NDArray[np.integer], rows: NDArray[np.integer]
) -> NDArray[np.float32]:
    """float32 [m, `SUMMARY`] of pairs."""
    return summarise(compare(left.facts, lines, right.facts, rows))


def _shared(
    left: csr_array, right: csr_array, lines: NDArray[np.integer], rows: NDArray[np.integer]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The weight of the words that two titles share: its sum and its maximum, float32 [m] each."""
    total, largest = np.zeros(len(lines), np.float32), np.zeros(len(lines), np.float32)
    if not left.shape[1]:  # no title has a word, and SciPy has no maximum of nothing
        return total, largest
    for first in range(0, len(lines), _BLOCK):
        piece = slice(first, first + _BLOCK)
        both = left[lines[piece]].minimum(right[rows[piece]]).tocsr()
        total[piece] = both.sum(axis=1)
        largest[piece] = both.max(axis=1).toarray().ravel()
    return total, largest


def _keys(titles: Sequence[ParsedTitle]) -> NDArray[np.int64]:
    return np.array([_key(title.words) for title in titles], np.int64)


def _key(found: Sequence[str]) -> int:
    """63 bits of a digest of words, −1 for none."""
    if not found:
        return -1
    return int.from_bytes(blake2b(" ".join(found).encode(), digest_size=8).digest(), "big") >> 1
