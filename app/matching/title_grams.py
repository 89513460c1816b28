"""Titles as weighted grams: words, neighbouring words joined, and three characters in a row.

Words say most, joined words find `Hada Labo` in `hadalabo`, and characters find what is spelled in another way.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from string import ascii_lowercase

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from app.matching.title_noise import NOISE
from app.matching.title_words import runs, words

ALONE = 0.25
"""What remains of the weight of a gram that one title at most holds: a misspelling or a code of a seller more often
than a difference between products. With all of it, the competition's titles score 0.01 less of mean F1."""
_LENGTH = 3
_UNIT_LETTERS = f"{ascii_lowercase}%"


def grams(title: str) -> Iterator[str]:
    """The grams of a title, some of them more than once.

    Of sellers' noise (see `title_noise`) each word is one gram, and its characters and neighbours are none.

    >>> list(grams("Promo Kopi 5g"))
    ['~promo', '=kopi', '=5g', '=5', '=kopi5g', ' ko', 'kop', 'opi', 'pi ', ' 5 ', ' g ']
    """
    found = words(title)
    yield from (f"~{word}" for word in found if word in NOISE)
    said = [word for word in found if word not in NOISE]
    for word in said:
        yield f"={word}"
        if (number := word.rstrip(_UNIT_LETTERS)) != word and number:
            yield f"={number}"
    for left, right in pairwise(said):
        yield f"={left}{right}"
    for run in runs(title):
        if run not in NOISE:
            spaced = f" {run} "
            yield from (spaced[first : first + _LENGTH] for first in range(len(spaced) - _LENGTH + 1))


class TitleGrams:
    """The grams of a catalogue's titles and what each weighs.

    The weight is TF-IDF's (Spärck Jones, 1972): 1 + ln((1 + n) / (1 + titles with the gram)), a gram counted once a
    title, and `ALONE` of it where one title at most holds the gram.

    Args:
        titles: those of the catalogue, n.
        terms: what a title is taken apart into: `grams`, or the words alone.

    Attributes:
        vectors: float32 [n, grams], see `weigh`.
    """

    def __init__(self, titles: Sequence[str], terms: Callable[[str], Iterable[str]] = grams) -> None:
        self._terms = terms
        self._columns: dict[str, int] = {}
        columns = [[self._columns.setdefault(term, len(self._columns)) for term in self._once(it)] for it in titles]
        held = np.bincount([column for line in columns for column in line], minlength=len(self._columns))
        self._held = held
        weights = 1 + np.log((1 + len(titles)) / (1 + held))
        self._weights = np.where(held <= 1, ALONE, 1) * weights
        self._unknown = ALONE * (1 + np.log(1 + len(titles)))
        self.vectors = self._scaled(self._matrix(columns), np.zeros(len(titles)))

    def __len__(self) -> int:
        return len(self._columns)

    def titles_with(self, term: str) -> int:
        """How many titles of the catalogue hold a term."""
        column = self._columns.get(term)
        return 0 if column is None else int(self._held[column])

    def weigh(self, titles: Sequence[str]) -> csr_array:
        """Titles as float32 [m, grams]: rows of unit length, of zeros where there is no gram.

        Grams that the catalogue does not hold have no column, but count in the length, so that only a title of the
        same grams is at a cosine of 1. Titles of the catalogue have the row they have in `vectors`.
        """
        matrix, unknown = self._known(titles)
        return self._scaled(matrix, self._unknown**2 * unknown)

    def weights(self, titles: Sequence[str]) -> tuple[csr_array, NDArray[np.float64]]:
        """The weight of each gram of titles before rows are scaled.

        Returns:
            float32 [m, grams], and per title the sum of all its weights, float64 [m], those without a column included.
        """
        matrix, unknown = self._known(titles)
        return matrix.astype(np.float32), matrix.sum(axis=1) + self._unknown * unknown

    def _known(self, titles: Sequence[str]) -> tuple[csr_array, NDArray[np.intp]]:
        """The weights float64 [m, grams] of grams that have a column, and how many of each title have none."""
        columns, unknown = [], []
        for title in titles:
            found = [self._columns.get(term, -1) for term in self._once(title)]
            columns.append([column for column in found if column >= 0])
            unknown.append(len(found) - len(columns[-1]))
        return self._matrix(columns), np.array(unknown, np.intp)

    def _matrix(self, columns: Sequence[Sequence[int]]) -> csr_array:
        starts = np.concatenate([[0], np.cumsum([len(line) for line in columns], dtype=np.intp)])
        indices = np.fromiter((column for line in columns for column in sorted(line)), np.int32, int(starts[-1]))
        return csr_array((self._weights[indices], indices, starts.astype(np.int32)), shape=(len(columns), len(self)))

    def _scaled(self, matrix: csr_array, unknown: NDArray[np.floating]) -> csr_array:
        """Rows divided by their length, which has the square `unknown` on top of the row's own."""
        lines = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
        squares = np.bincount(lines, matrix.data**2, matrix.shape[0]) + unknown
        data = (matrix.data / np.sqrt(squares)[lines]).astype(np.float32)
        return csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)

    def _once(self, title: str) -> Iterable[str]:
        """The terms of a title, each once, in the order they first occur."""
        return dict.fromkeys(self._terms(title))
