"""Exact neighbour graphs over cosine distance, in blocks of rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import LimitExceeded
from app.matching.embeddings import Embeddings

MAX_PAIRS = 20_000_000
_BLOCK_VALUES = 16 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class NeighbourGraph:
    """Which rows are within a radius of which, in compressed sparse rows.

    Attributes:
        starts: intp [n + 1]; the neighbours of row i stand at positions starts[i] to starts[i + 1].
        rows: int32 [m], ascending within each row; row i is its own neighbour.
        distances: float32 [m], cosine distance 0…2; exactly 0 to itself.
    """

    starts: NDArray[np.intp]
    rows: NDArray[np.int32]
    distances: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def neighbours(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Rows near `row`, ascending, and their distances."""
        span = slice(self.starts[row], self.starts[row + 1])
        return self.rows[span], self.distances[span]


def radius_graph(embeddings: Embeddings, radius: float, max_pairs: int = MAX_PAIRS) -> NeighbourGraph:
    """All pairs of rows whose cosine distance is at most `radius`.

    Works in blocks of rows; beside the result, 8 bytes a pair, it holds at most about 400 MiB (one block of distances,
    its mask, and where the mask is true).

    Args:
        embeddings: [n, d].
        radius: 0…2.
        max_pairs: beyond which the graph is not built; (a, b) and (b, a) and (a, a) each count.

    Raises:
        LimitExceeded: more pairs than that are within the radius.
    """
    n = len(embeddings)
    block = max(1, _BLOCK_VALUES // max(1, n))
    starts = np.zeros(n + 1, np.intp)
    rows: list[NDArray[np.int32]] = []
    pairs = 0
    distances: list[NDArray[np.float32]] = []
    for first in range(0, n, block):
        distance = _distances(embeddings, first, min(first + block, n))
        line, column = np.nonzero(distance <= np.float32(radius))
        pairs += len(line)
        if pairs > max_pairs:
            raise LimitExceeded(f"expected at most {max_pairs} pairs within distance {radius:g}, got more: lower it")
        starts[first + 1 : first + 1 + len(distance)] = np.bincount(line, minlength=len(distance))
        rows.append(column.astype(np.int32))
        distances.append(distance[line, column])
    np.cumsum(starts, out=starts)
    return NeighbourGraph(
        starts,
        np.concatenate(rows) if rows else np.empty(0, np.int32),
        np.concatenate(distances) if distances else np.empty(0, np.float32),
    )


def _distances(embeddings: Embeddings, first: int, last: int) -> NDArray[np.float32]:
    distance: NDArray[np.float32] = np.subtract(1, embeddings[first:last] @ embeddings.T, dtype=np.float32)
    np.clip(distance, 0, 2, out=distance)
    distance[np.arange(last - first), np.arange(first, last)] = 0
    return distance
