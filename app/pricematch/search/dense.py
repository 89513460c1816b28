"""Exact nearest neighbours among dense rows, by cosine, see `pricematch.search.distances`."""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.search.candidates import Candidates, largest, places, scattered, stacked, top_k
from pricematch.search.distances import distances, distances_to, rounding_of, unit_rows
from pricematch.search.outlines import ROUNDING, Outline

_BLOCK_VALUES = 4 * 1024 * 1024
_FEW_QUERIES = 8
"""For more, a product with all rows at once takes less time."""
_MOST_READ = 4


class DenseIndex:
    """The nearest rows by cosine, similarity being 1 − distance; ties go to the lower row.

    Immutable, safe to use from several threads. Beside the embeddings it holds 5 bytes a row; once it is searched, of
    long embeddings that lie in few directions, outlines of up to a third of their size.

    Args:
        embeddings: [n, d]; a row of zeros has no candidates and is none.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        self.embeddings = embeddings
        lengths = np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings, dtype=np.float64))
        self.known: NDArray[np.bool_] = lengths > 0
        self._divisors = np.where(self.known, lengths, 1).astype(np.float32)

    def nearest_others(self, count: int, progress: Callable[[int], None] = lambda _: None) -> Candidates:
        """The `count` nearest other rows of each row.

        Beside the result it holds a float32 and a float64 copy of the embeddings and at most about 400 MiB.

        Args:
            count: at least 0.
            progress: gets how many rows are done, after each block of them.
        """
        known, parts = np.flatnonzero(self.known), []
        exact = unit_rows(self.embeddings[known])
        coarse = exact.astype(np.float32)
        block = max(1, _BLOCK_VALUES // max(1, len(known)))
        for first in range(0, len(known), block):
            similarity = coarse[first : first + block] @ coarse.T
            own = np.arange(len(similarity))
            similarity[own, first + own] = -np.inf
            query, row = shortlist(similarity, min(count, len(known) - 1), self.embeddings)
            distance = distances(exact, query + first, exact, row)
            parts.append(top_k(query, known[row], 1 - distance, len(similarity), count))
            progress(first + len(similarity))
        return scattered(stacked(parts, count), known, len(self.embeddings))

    def nearest(self, queries: Embeddings, count: int, alive: NDArray[np.bool_] | None = None) -> Candidates:
        """The `count` nearest rows of each query.

        Args:
            queries: [m, d], rows of zeros have no candidates.
            count: at least 0.
            alive: bool [n], which rows may be candidates; None: all.
        """
        with_vector, there = np.flatnonzero(queries.any(axis=1)), self.known if alive is None else self.known & alive
        most = min(count, int(np.count_nonzero(there)))
        if len(with_vector) <= _FEW_QUERIES and (outline := self._outline) is not None:
            few = unit_rows(queries[with_vector])
            parts = [self._nearest_of_one(outline, query, there, most, count) for query in few]
        else:
            block = max(1, _BLOCK_VALUES // max(1, len(there)))
            pieces = [with_vector[first : first + block] for first in range(0, len(with_vector), block)]
            parts = [self._nearest_of(unit_rows(queries[piece]), there, most, count) for piece in pieces]
        return scattered(stacked(parts, count), with_vector, len(queries))

    @cached_property
    def _outline(self) -> Outline | None:
        return Outline.of(self.embeddings)

    def _nearest_of(self, queries: NDArray[np.float64], there: NDArray[np.bool_], most: int, count: int) -> Candidates:
        """The `count` nearest of the rows that are there, `most` of them, of queries of unit length [m, d]."""
        query, row = shortlist(self._compared(queries, there), most, self.embeddings)
        rows, place = np.unique(row, return_inverse=True)
        distance = distances(queries, query, unit_rows(self.embeddings[rows]), place)
        return top_k(query, row, 1 - distance, len(queries), count)

    def _nearest_of_one(
        self, outline: Outline, query: NDArray[np.float64], there: NDArray[np.bool_], most: int, count: int
    ) -> Candidates:
        """The same of one query [d]; outlines rule out most rows."""
        row = self._near(outline, query, there, most)
        distance = distances_to(query, unit_rows(self.embeddings[row]))
        return top_k(np.zeros(len(row), np.intp), row, 1 - distance, 1, count)

    def _compared(self, queries: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The float32 cosines of queries [m, d] and all rows; −inf where one is not there."""
        similarity = queries.astype(np.float32) @ self.embeddings.T
        similarity /= self._divisors
        similarity[:, ~there] = -np.inf
        return similarity

    def _near(
        self, outline: Outline, query: NDArray[np.float64], there: NDArray[np.bool_], count: int
    ) -> NDArray[np.intp]:
        """The rows that may be among the `count` nearest of a query; most others are not read.

        The `count`-th highest cosine of any rows is one that the nearest have, too.
        """
        if count <= 0:
            return np.empty(0, np.intp)
        bounds = outline.bounds(query)
        bounds[~there] = -np.inf
        coarse, likely = query.astype(np.float32), min(2 * count, int(np.count_nonzero(there)))
        some = np.flatnonzero(bounds >= largest(bounds, likely))
        least = largest(self.embeddings[some] @ coarse / self._divisors[some], count)
        rows = np.flatnonzero(bounds >= least - ROUNDING)
        if len(rows) > len(there) // _MOST_READ:
            return shortlist(self._compared(query[np.newaxis], there), count, self.embeddings)[1]
        similarity = self.embeddings[rows] @ coarse / self._divisors[rows]
        return rows[shortlist(similarity[np.newaxis], count, self.embeddings)[1]]


def shortlist(
    similarity: NDArray[np.float32], count: int, embeddings: Embeddings
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Query and row [p] of the pairs that may be among the `count` nearest of a query, whatever was rounded.

    Args:
        similarity: [m, n], float32 products with the embeddings; −inf where a row is no candidate.
        count: no more than any query has candidates.
        embeddings: [n, d].
    """
    if count <= 0:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    place = similarity.shape[1] - count
    last = np.partition(similarity, place, axis=1)[:, place, np.newaxis]
    return places(similarity >= last - 2 * rounding_of(embeddings))
