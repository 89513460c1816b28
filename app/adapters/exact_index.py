"""Exact cosine search in memory: one matrix product, no approximation."""

import numpy as np
from numpy.typing import NDArray

from app.matching.embeddings import Embeddings


class ExactIndex:
    """Implements `ports.Index` over float32 [n, d]; a search costs n·d multiplications and 4·n bytes a query."""

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings

    def search(self, query: Embeddings, limit: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """See `ports.Index.search`."""
        limit = min(limit, len(self._embeddings))
        rows = np.empty((len(query), limit), np.intp)
        similarities = np.empty((len(query), limit), np.float32)
        for line, vector in enumerate(query):
            scores = np.clip(self._embeddings @ vector, -1.0, 1.0)
            rows[line] = _best(scores, limit)
            similarities[line] = scores[rows[line]]
        return rows, similarities


def _best(scores: NDArray[np.float32], limit: int) -> NDArray[np.intp]:
    """Positions of the `limit` highest scores, descending, equal ones by position; ties at the cut by position too."""
    if limit == 0:
        return np.empty(0, np.intp)
    last = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    above, level = np.flatnonzero(scores > last), np.flatnonzero(scores == last)
    chosen = np.concatenate([above, level[: limit - len(above)]])
    order = np.lexsort((chosen, -scores[chosen]))
    return chosen[order]
