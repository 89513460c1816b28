"""Titles as sparse vectors: weighted words or character n-grams, and these expanded by titles of similar postings."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from string import ascii_lowercase
from typing import TypeAlias
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from pricematch.search.candidates import Candidates, ranges
from pricematch.search.hamming import similarity_of
from pricematch.titles.lexicon import NOISE
from pricematch.titles.normalise import ParsedTitle

Terms: TypeAlias = Callable[[ParsedTitle], Iterable[str]]
"""What a title is taken apart into: `words` or `grams`."""

SINGLE_WEIGHT = 0.25
"""What remains of the weight of a term that one title at most holds: a misspelling or a code of a seller more often
than a difference between products. With all of it, the competition's titles score 0.01 less of mean F1."""
_NEW_COLUMNS = 2**18
"""Columns for the terms that a catalogue does not hold, of titles that come later: so many that two of the few thousand
that may be waiting to be learned hardly ever meet (feature hashing, Weinberger et al., 2009)."""
_LENGTH = 3
_UNIT_LETTERS = f"{ascii_lowercase}%"
NEIGHBOURS = 10
"""Neighbours by one retriever that a title is blended with, at most."""
_LEAST_COSINE = 0.3
"""From which on another title is a neighbour."""
_MOST_BITS = 6
"""In which the hash of a neighbour's image differs, at most."""
_SMALLEST = 0.01


def words(title: ParsedTitle) -> Sequence[str]:
    """The words of a title, some of them more than once."""
    return title.words


def grams(title: ParsedTitle) -> Iterator[str]:
    """The grams of a title, some of them more than once.

    Of sellers' noise (see `lexicon.NOISE`) each word is one gram, and its characters and neighbours are none.

    >>> from pricematch.titles.normalise import parse_title
    >>> list(grams(parse_title("Promo Kopi 5g")))
    ['~promo', '=kopi', '=5g', '=5', '=kopi5g', ' ko', 'kop', 'opi', 'pi ', ' 5 ', ' g ']
    """
    yield from (f"~{word}" for word in title.words if word in NOISE)
    plain = [word for word in title.words if word not in NOISE]
    for word in plain:
        yield f"={word}"
        if (number := word.rstrip(_UNIT_LETTERS)) != word and number:
            yield f"={number}"
    for left, right in pairwise(plain):
        yield f"={left}{right}"
    for run in title.runs:
        if run not in NOISE:
            spaced = f" {run} "
            yield from (spaced[first : first + _LENGTH] for first in range(len(spaced) - _LENGTH + 1))


class TfIdf:
    """TF-IDF vectors of titles, fitted to those of a catalogue. Immutable, safe to use from several threads.

    The weight of a term is 1 + ln((1 + n) / (1 + titles with the term)) (Spärck Jones, 1972; smoothed as scikit-learn
    does), a term counted once a title, and a share of it where one title at most holds the term.

    Args:
        titles: those of the catalogue, n.
        terms: what a title is taken apart into.
        single_weight: the share that remains of the weight of a term that one title at most holds, 0…1.
        copies: [n], how many titles each of them counts as; None: one.

    Attributes:
        vectors: float32 [n, d], see `transform`; the columns are the catalogue's terms and `_NEW_COLUMNS` more.
    """

    def __init__(
        self,
        titles: Sequence[ParsedTitle],
        terms: Terms = grams,
        single_weight: float = SINGLE_WEIGHT,
        copies: NDArray[np.integer] | None = None,
    ) -> None:
        self._terms = terms
        self._columns: dict[str, int] = {}
        columns = [[self._columns.setdefault(term, len(self._columns)) for term in self._once(it)] for it in titles]
        counted = np.ones(len(titles), np.intp) if copies is None else copies
        each = np.repeat(counted, [len(line) for line in columns])
        held = np.bincount([column for line in columns for column in line], each, len(self._columns)).astype(np.intp)
        self._held = held
        weights = 1 + np.log((1 + counted.sum()) / (1 + held))
        unknown = single_weight * (1 + np.log(1 + counted.sum()))
        self._weights = np.append(np.where(held <= 1, single_weight, 1) * weights, unknown)
        self.vectors = self._unit(columns)

    def __len__(self) -> int:
        """How many terms the catalogue holds."""
        return len(self._columns)

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """By term of the catalogue, how many of its titles hold it."""
        return dict(zip(self._columns, self._held.tolist(), strict=True))

    def transform(self, titles: Sequence[ParsedTitle]) -> csr_array:
        """Titles as float32 [m, d]: rows of unit length, of zeros where there is no term.

        Terms that the catalogue does not hold are shared by titles that it does not hold either. Titles of the
        catalogue have the row they have in `vectors`.
        """
        return self._unit([{self._column(term) for term in self._once(title)} for title in titles])

    def weights(self, vectors: csr_array) -> tuple[csr_array, NDArray[np.float64]]:
        """The weight of each term of titles before rows were scaled.

        Args:
            vectors: float32 [m, d], of the catalogue, or what `transform` returned.

        Returns:
            float32 [m, d], and per title the sum of all its weights, float64 [m].
        """
        weights, indices, starts = self._weights_of(vectors.indices), vectors.indices, vectors.indptr
        some, totals = np.flatnonzero(starts[1:] > starts[:-1]), np.zeros(vectors.shape[0])
        if len(some):
            totals[some] = np.add.reduceat(weights, starts[some])
        return csr_array((weights.astype(np.float32), indices, starts), shape=vectors.shape), totals

    def _column(self, term: str) -> int:
        """Of a term of the catalogue its own; of another one behind these, which it may share with a few more."""
        found = self._columns.get(term)
        return len(self) + crc32(term.encode("utf-8", "surrogatepass")) % _NEW_COLUMNS if found is None else found

    def _unit(self, columns: Sequence[Collection[int]]) -> csr_array:
        """Rows of unit length of the terms in some columns."""
        starts = np.array([0, *accumulate(map(len, columns))], np.int32)
        indices = np.fromiter((column for line in columns for column in sorted(line)), np.int32, int(starts[-1]))
        values = _unit_values(self._weights_of(indices), starts)
        return csr_array((values, indices, starts), shape=(len(columns), len(self) + _NEW_COLUMNS))

    def _weights_of(self, columns: NDArray[np.int32]) -> NDArray[np.float64]:
        """The weights of the terms in some columns [m]; those behind the catalogue's have that of a new one."""
        return self._weights[np.minimum(columns, len(self))]

    def _once(self, title: ParsedTitle) -> Iterable[str]:
        """The terms of a title, each once, in the order they first occur."""
        return dict.fromkeys(self._terms(title))


def _unit_rows(matrix: csr_array) -> csr_array:
    """Rows divided by their length, float32; those of zeros stay."""
    return csr_array((_unit_values(matrix.data, matrix.indptr), matrix.indices, matrix.indptr), shape=matrix.shape)


def _unit_values(values: NDArray[np.floating], starts: NDArray[np.integer]) -> NDArray[np.float32]:
    """The values of rows, each row divided by its length."""
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    squares = np.bincount(rows, values.astype(np.float64) ** 2, len(starts) - 1)
    return np.asarray((values / np.sqrt(squares)[rows]).astype(np.float32))


def expand(vectors: csr_array, shares: csr_array, catalogue: csr_array) -> csr_array:
    """Titles blended with their neighbours: each its own vector and those of its neighbours, times their shares.

    Args:
        vectors: float32 [m, d], the titles as they are.
        shares: float32 [m, n] of their neighbours, the sum of `title_shares` and `hash_shares`.
        catalogue: float32 [n, d], the titles of the catalogue as they are.

    Returns:
        float32 [m, d], rows of unit length, or of zeros, without what is below 0.01 there.
    """
    blends = _unit_rows(csr_array(vectors + shares @ catalogue))
    blends.data[blends.data < _SMALLEST] = 0
    blends.eliminate_zeros()
    return _unit_rows(blends)


def expand_few(vectors: csr_array, titles: Candidates, hashes: Candidates | None, catalogue: csr_array) -> csr_array:
    """What `expand` makes of a few titles and those nearest to them, without a matrix as wide as the catalogue is long.

    Args:
        vectors: float32 [m, d], as for `expand`, which see.
        titles: the titles of the catalogue nearest to each, as for `title_shares`.
        hashes: the same by the hashes of their images; None where these are no signal.
        catalogue: float32 [n, d].
    """
    kinds = [(titles.rows, *_of_titles(titles))] + ([] if hashes is None else [(hashes.rows, *_of_hashes(hashes))])
    blends = []
    for line in range(vectors.shape[0]):
        near = np.concatenate([rows[line, :NEIGHBOURS][kept[line]] for rows, kept, _ in kinds])
        given = np.concatenate([values[line][kept[line]] for _, kept, values in kinds]).astype(np.float32)
        rows, shares = _summed(near, given)
        begins = catalogue.indptr[rows]
        places, of_row = ranges(begins, catalogue.indptr[rows + 1] - begins)
        own = slice(vectors.indptr[line], vectors.indptr[line + 1])
        columns, values = _summed(
            np.concatenate([catalogue.indices[places], vectors.indices[own]]),
            np.concatenate([catalogue.data[places] * shares[of_row], vectors.data[own]]),
        )
        kept = (values := _unit_values(values, np.array([0, len(values)]))) >= _SMALLEST
        blends.append((columns[kept], _unit_values(values[kept], np.array([0, kept.sum()]))))
    starts = np.cumsum([0, *(len(columns) for columns, _ in blends)]).astype(np.int32)
    columns = np.concatenate([np.empty(0, np.int32), *(columns for columns, _ in blends)])
    data = np.concatenate([np.empty(0, np.float32), *(values for _, values in blends)])
    return csr_array((data, columns, starts), shape=vectors.shape)


def _summed(places: NDArray[np.int32], values: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The places that occur, ascending, and the sum of the values at each, in the order they are given."""
    distinct, which = np.unique(places, return_inverse=True)
    found = np.zeros(len(distinct), np.float32)
    np.add.at(found, which, values)
    return distinct, found


def title_shares(nearest: Candidates, size: int) -> csr_array:
    """The share 2 s² of each title whose cosine s is at least 0.3, of the 10 nearest at most; float32 [m, n].

    Args:
        nearest: the titles of the catalogue nearest to m titles, 10 or more of each if there are.
        size: n, titles of the catalogue.
    """
    return _shares(nearest, *_of_titles(nearest), size)


def hash_shares(nearest: Candidates, size: int) -> csr_array:
    """The share of equal bits of each hash that differs in 6 bits at most; see `title_shares`."""
    return _shares(nearest, *_of_hashes(nearest), size)


def _of_titles(nearest: Candidates) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which of the first candidates have a share, and the share of each."""
    similarities = nearest.similarities[:, :NEIGHBOURS]
    return similarities >= _LEAST_COSINE, 2 * similarities**2


def _of_hashes(nearest: Candidates) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    similarities = nearest.similarities[:, :NEIGHBOURS]
    return similarities >= similarity_of(np.array(_MOST_BITS)), similarities


def _shares(nearest: Candidates, kept: NDArray[np.bool_], shares: NDArray[np.float64], size: int) -> csr_array:
    queries = np.nonzero(kept)[0]
    values = shares[kept].astype(np.float32)
    return csr_array(coo_array((values, (queries, nearest.rows[:, :NEIGHBOURS][kept])), shape=(len(nearest), size)))
