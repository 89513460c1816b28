"""Exact neighbours among dense rows by cosine: the nearest of each row or query, and all within a radius.

Matrix products in float32 only pick the pairs worth a closer look, with room for their rounding; what counts is the
distance of a pair computed in float64 from its two rows alone. So it does not depend on the block a pair falls into, on
the processor's matrix kernels or on their threads (as many as NumPy's BLAS is configured for), it is the same in both
directions, and equal rows are at equal distances from every other. Distances are rounded to 15 decimals, as
scikit-learn's OPTICS does: what differs by less is a tie.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from pricematch.catalogue.features import Embeddings
from pricematch.errors import LimitExceeded
from pricematch.search.candidates import Candidates, places, scattered, stacked, top_k
from pricematch.search.outlines import ROUNDING, Outline

MAX_PAIRS = 20_000_000
_DECIMALS = 15
_BLOCK_VALUES = 4 * 1024 * 1024
_VALUES_AT_ONCE = 4 * 1024 * 1024
_FEW_QUERIES = 8
"""For more, a product with all rows at once takes less time."""
_MOST_READ = 4


@dataclass(frozen=True, eq=False)
class NeighbourGraph:
    """Which rows are within a radius of which, in compressed sparse rows.

    Attributes:
        radius: cosine distance 0…2 up to which pairs are in it.
        starts: intp [n + 1]; the neighbours of row i stand at positions starts[i] to starts[i + 1].
        rows: int32 [m], itself first, then by ascending distance, equal ones by ascending row.
        distances: float64 [m], cosine distance 0…2, rounded to 15 decimals; exactly 0 to itself; symmetric.
    """

    radius: float
    starts: NDArray[np.intp]
    rows: NDArray[np.int32]
    distances: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def lines(self) -> NDArray[np.int32]:
        """int32 [m]: the row whose neighbour stands at each position."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.starts))

    def within(self, radius: float) -> "NeighbourGraph":
        """The graph of a smaller radius; raises ValueError for a larger one."""
        if radius > self.radius:
            raise ValueError(f"expected a radius of at most {self.radius:g}, got {radius:g}")
        if radius == self.radius:
            return self
        kept = self.distances <= radius
        before = np.concatenate([[0], np.cumsum(kept)])
        return NeighbourGraph(radius, before[self.starts], self.rows[kept], self.distances[kept])

    def select(self, rows: NDArray[np.integer]) -> "NeighbourGraph":
        """The graph of some rows, each given once, renumbered in the order given."""
        place = np.full(len(self), -1, np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        line, row = place[self.lines()], place[self.rows]
        kept = (line >= 0) & (row >= 0) & (line > row)
        return _graph(self.radius, len(rows), line[kept], row[kept], self.distances[kept])

    def extended(self, embeddings: Embeddings, max_pairs: int = MAX_PAIRS) -> "NeighbourGraph":
        """The graph with more rows behind those it has.

        Args:
            embeddings: [n + m, d], of which the first n are those of the graph.
            max_pairs: see `radius_graph`, which raises LimitExceeded.
        """
        line, row, distances = _pairs(embeddings, len(self), self.radius, max_pairs - len(self.rows))
        old = self.lines()
        once = old > self.rows
        return _graph(
            self.radius,
            len(embeddings),
            np.concatenate([old[once], line]),
            np.concatenate([self.rows[once], row]),
            np.concatenate([self.distances[once], distances]),
        )


def radius_graph(embeddings: Embeddings, radius: float, max_pairs: int = MAX_PAIRS) -> NeighbourGraph:
    """All pairs of rows whose cosine distance is at most `radius`; no pair is missed, none is too many.

    Beside the input it holds a float32 and a float64 copy of it (12·n·d bytes), at most about 400 MiB for a block, and
    up to 50 bytes for each pair that is found (12 in the result): 100,000 rows of 64 values with 20 million pairs take
    less than 1.5 GiB.

    Args:
        embeddings: [n, d], no row of zeros.
        radius: 0…2.
        max_pairs: beyond which the graph is not built; (a, b) and (b, a) and (a, a) each count.

    Raises:
        LimitExceeded: more pairs than that are within the radius.
    """
    return _graph(radius, len(embeddings), *_pairs(embeddings, 0, radius, max_pairs))


class DenseIndex:
    """The nearest rows by cosine, similarity being 1 − distance; ties go to the lower row.

    Immutable, safe to use from several threads. Beside the embeddings it holds 9 bytes a row; once it is searched, of
    long embeddings that lie in few directions, outlines of up to a third of their size.

    Args:
        embeddings: [n, d]; a row of zeros has no candidates and is none.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        self.embeddings = embeddings
        self._lengths = np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings, dtype=np.float64))
        self.known: NDArray[np.bool_] = self._lengths > 0

    def nearest_others(self, count: int, progress: Callable[[int], None] = lambda _: None) -> Candidates:
        """The `count` nearest other rows of each row.

        Beside the result it holds a float32 and a float64 copy of the embeddings and at most about 400 MiB.

        Args:
            count: at least 0.
            progress: gets how many rows are done, after each block of them.
        """
        known, parts = np.flatnonzero(self.known), []
        exact, coarse = _copies(self.embeddings[known])
        block = max(1, _BLOCK_VALUES // max(1, len(known)))
        for first in range(0, len(known), block):
            similarity = coarse[first : first + block] @ coarse.T
            own = np.arange(len(similarity))
            similarity[own, first + own] = -np.inf
            query, row = shortlist(similarity, min(count, len(known) - 1), self.embeddings)
            distance = _distances(exact, query + first, exact, row)
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
        outline = self._outline
        lengths, parts = np.where(there, self._lengths, 1).astype(np.float32), []
        block = max(1, _BLOCK_VALUES // max(1, len(there)))
        for first in range(0, len(with_vector), block):
            exact, coarse = _copies(queries[with_vector[first : first + block]])
            most = min(count, int(there.sum()))
            if outline is not None and len(with_vector) <= _FEW_QUERIES:
                near = [self._near(outline, *both, lengths, there, most) for both in zip(exact, coarse, strict=True)]
                query, row = np.repeat(np.arange(len(near)), [len(rows) for rows in near]), np.concatenate(near)
            else:
                query, row = shortlist(self._compared(coarse, lengths, there), most, self.embeddings)
            rows, place = np.unique(row, return_inverse=True)
            distance = _distances(exact, query, _copies(self.embeddings[rows])[0], place)
            parts.append(top_k(query, row, 1 - distance, len(exact), count))
        return scattered(stacked(parts, count), with_vector, len(queries))

    @cached_property
    def _outline(self) -> Outline | None:
        return Outline.of(self.embeddings)

    def _compared(
        self, queries: Embeddings, lengths: NDArray[np.float32], there: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """The float32 cosines of queries [m, d] and all rows; −inf where one is not there."""
        similarity = queries @ self.embeddings.T
        similarity /= lengths
        similarity[:, ~there] = -np.inf
        return similarity

    def _near(
        self,
        outline: Outline,
        exact: NDArray[np.float64],
        coarse: NDArray[np.float32],
        lengths: NDArray[np.float32],
        there: NDArray[np.bool_],
        count: int,
    ) -> NDArray[np.intp]:
        """The rows that may be among the `count` nearest of a query [d]; most others are not read.

        The `count`-th highest cosine of any rows is one that the nearest have, too.
        """
        bounds, total = outline.bounds(exact), len(there)
        bounds[~there] = -np.inf
        if count <= 0:
            return np.empty(0, np.intp)
        likely = min(2 * count, int(there.sum()))
        some = np.argpartition(bounds, total - likely)[total - likely :]
        known = self.embeddings[some] @ coarse / lengths[some]
        least = np.partition(known, likely - count)[likely - count]
        rows = np.flatnonzero(bounds >= least - ROUNDING)
        if len(rows) > total // _MOST_READ:
            return shortlist(self._compared(coarse[np.newaxis], lengths, there), count, self.embeddings)[1]
        similarity = self.embeddings[rows] @ coarse / lengths[rows]
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
    return places(similarity >= last - 2 * _rounding(embeddings))


def _pairs(
    embeddings: Embeddings, first: int, radius: float, max_pairs: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Pairs (line, row) with line ≥ `first` and row < line that are within the radius, and their distances."""
    n = len(embeddings)
    exact, coarse = _copies(embeddings)
    bound = np.float32(1 - radius - _rounding(embeddings))
    lines, rows, distances = [np.empty(0, np.int32)], [np.empty(0, np.int32)], [np.empty(0)]
    pairs = n - first
    block = max(1, _BLOCK_VALUES // max(1, n))
    for start in range(first, n, block):
        stop = min(start + block, n)
        line, row = places(coarse[start:stop] @ coarse[:stop].T >= bound)
        line += start
        line, row = line[row < line], row[row < line]
        distance = _distances(exact, line, exact, row)
        near = distance <= radius
        pairs += 2 * int(near.sum())
        if pairs > max_pairs:
            raise LimitExceeded(f"expected at most {max_pairs} pairs within distance {radius:g}, got more: lower it")
        lines.append(line[near].astype(np.int32))
        rows.append(row[near].astype(np.int32))
        distances.append(distance[near])
    return np.concatenate(lines), np.concatenate(rows), np.concatenate(distances)


def _graph(
    radius: float, n: int, line: NDArray[np.int32], row: NDArray[np.int32], distance: NDArray[np.float64]
) -> NeighbourGraph:
    """A graph from each of its pairs given once, in any order."""
    itself = np.arange(n, dtype=np.int32)
    lines, rows = np.concatenate([line, row, itself]), np.concatenate([row, line, itself])
    distances = np.concatenate([distance, distance, np.zeros(n)])
    # keeps entries that are zero: equal rows are neighbours
    matrix = coo_array((distances, (lines, rows)), shape=(n, n)).tocsr()
    starts, rows, distances = matrix.indptr.astype(np.intp), matrix.indices.astype(np.int32, copy=False), matrix.data
    lines = np.repeat(itself, np.diff(starts))
    order = np.lexsort((rows != lines, distances, lines))
    return NeighbourGraph(radius, starts, rows[order], distances[order])


def _copies(embeddings: Embeddings) -> tuple[NDArray[np.float64], Embeddings]:
    """The rows at unit length in float64, and those rounded to float32."""
    exact = embeddings.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    return exact, exact.astype(np.float32)


def _rounding(embeddings: Embeddings) -> float:
    """More than a float32 product of two unit rows can be off: d + 4 roundings of at most 2⁻²⁴, doubled."""
    return float((embeddings.shape[1] + 4) * 2.0**-23)


def _distances(
    left: NDArray[np.float64],
    left_rows: NDArray[np.integer],
    right: NDArray[np.float64],
    right_rows: NDArray[np.integer],
) -> NDArray[np.float64]:
    """1 − cosine of pairs of rows of unit length, in 0…2, rounded to 15 decimals.

    That is half the square of their difference, which is exactly 0 where they are equal.
    """
    distance = np.empty(len(left_rows))
    step = max(1, _VALUES_AT_ONCE // max(1, left.shape[1]))
    for first in range(0, len(left_rows), step):
        piece = slice(first, first + step)
        difference = left[left_rows[piece]]
        difference -= right[right_rows[piece]]
        np.einsum("ij,ij->i", difference, difference, out=distance[piece])
    distance /= 2
    np.clip(distance, 0, 2, out=distance)
    return np.round(distance, _DECIMALS, out=distance)
