"""Exact cosine search in memory: one matrix product, no approximation.

The product in float32 only picks what is worth a closer look, with room for its rounding. What counts is the cosine in
float64 of the two rows alone, so that it does not matter which row a posting got, and when.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from pricematch.catalogue.embedded_rows import EmbeddedRows
from pricematch.catalogue.embeddings import Embeddings
from pricematch.matching.matches import Match, Matches

_NOBODY = np.float32(-2)
_DECIMALS = 12
"""To which cosines are rounded: what differs by less is a tie."""


class Index(Protocol):
    """Answers nearest-neighbour search over the embedded postings of a catalogue."""

    def search(self, query: Embeddings, limit: int) -> Sequence[Matches]:
        """The `limit` postings most similar to each query, equal ones by ascending id.

        Args:
            query: [m, d].
            limit: at least 1; there may be fewer postings.
        """
        ...


class ExactIndex:
    """Implements `ports.Index`; a search of n rows of d values costs n·d multiplications and 8·n bytes a query."""

    def __init__(self, rows: EmbeddedRows) -> None:
        self._rows = rows

    def search(self, query: Embeddings, limit: int) -> Sequence[Matches]:
        """See `ports.Index.search`."""
        return [self._nearest(vector, limit) for vector in query]

    def _nearest(self, vector: Embeddings, limit: int) -> Matches:
        """The nearest of one query [d]; of those that are as near as the last one, the lower ids."""
        known, catalogue = self._rows.known, self._rows.catalogue
        limit = min(limit, int(known.sum()))
        if limit == 0:
            return Matches([])
        coarse = np.where(known, self._rows.embeddings @ vector, _NOBODY)
        last = np.partition(coarse, len(coarse) - limit)[len(coarse) - limit]
        near = np.flatnonzero(known & (coarse >= last - self._rounding)).tolist()
        # a matrix product would add up some rows in another order than others
        exact = np.einsum("ij,j->i", self._rows.embeddings[near].astype(np.float64), vector.astype(np.float64))
        similarities = np.clip(np.round(exact, _DECIMALS), -1, 1).tolist()
        found = [(-value, catalogue[row].posting_id) for value, row in zip(similarities, near, strict=True)]
        return Matches([Match(posting_id, -distance) for distance, posting_id in sorted(found)[:limit]])

    @property
    def _rounding(self) -> float:
        """More than twice what a float32 product of two unit rows can be off: d + 2 roundings of at most 2⁻²⁴ each."""
        return (self._rows.dimension + 2) * 2.0**-22
