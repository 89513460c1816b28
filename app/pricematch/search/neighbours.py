"""Graphs of neighbours: all pairs of dense rows within a radius by cosine, exact, see `pricematch.search.distances`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from pricematch.catalogue.features import Embeddings
from pricematch.errors import LimitExceeded
from pricematch.search.candidates import places
from pricematch.search.distances import distances, rounding_of, unit_rows

MAX_PAIRS = 20_000_000
_BLOCK_VALUES = 4 * 1024 * 1024


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


def collapsed(graph: NeighbourGraph, owners: NDArray[np.integer] | None) -> NeighbourGraph:
    """The graph of what owns the rows of another one: two owners are as far apart as the nearest rows of both.

    Args:
        graph: of m rows.
        owners: [m], which of n owners each row is of, each number from 0 on at least once; None: each has its own.
    """
    if owners is None:
        return graph
    line, row = owners[graph.lines()].astype(np.int32), owners[graph.rows].astype(np.int32)
    once = np.flatnonzero(line > row)
    line, row, distances = line[once], row[once], graph.distances[once]
    order = np.lexsort((distances, row, line))
    line, row, distances = line[order], row[order], distances[order]
    nearest = np.ones(len(order), np.bool_)
    nearest[1:] = (line[1:] != line[:-1]) | (row[1:] != row[:-1])
    return _graph(graph.radius, int(owners.max(initial=-1)) + 1, line[nearest], row[nearest], distances[nearest])


def _pairs(
    embeddings: Embeddings, first: int, radius: float, max_pairs: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Pairs (line, row) with line ≥ `first` and row < line that are within the radius, and their distances."""
    n = len(embeddings)
    exact = unit_rows(embeddings)
    coarse = exact.astype(np.float32)
    bound = np.float32(1 - radius - rounding_of(embeddings))
    lines, rows, found = [np.empty(0, np.int32)], [np.empty(0, np.int32)], [np.empty(0)]
    pairs = n - first
    block = max(1, _BLOCK_VALUES // max(1, n))
    for start in range(first, n, block):
        stop = min(start + block, n)
        line, row = places(coarse[start:stop] @ coarse[:stop].T >= bound)
        line += start
        line, row = line[row < line], row[row < line]
        distance = distances(exact, line, exact, row)
        near = distance <= radius
        pairs += 2 * int(near.sum())
        if pairs > max_pairs:
            raise LimitExceeded(f"expected at most {max_pairs} pairs within distance {radius:g}, got more: lower it")
        lines.append(line[near].astype(np.int32))
        rows.append(row[near].astype(np.int32))
        found.append(distance[near])
    return np.concatenate(lines), np.concatenate(rows), np.concatenate(found)


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
