"""Embeddings of the postings of a catalogue, in its rows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.embeddings import Embeddings
from pricematch.catalogue.growing import GrowingRows
from pricematch.catalogue.postings import Catalogue


class EmbeddedRows:
    """The embeddings of those postings that have one. Immutable.

    Args:
        catalogue: of `span` rows.
        embeddings: [span, d], zeros where a posting has none.

    Attributes:
        known: bool [span], which rows are seen and have an embedding.
    """

    def __init__(self, catalogue: Catalogue, embeddings: Embeddings) -> None:
        self._set(catalogue, GrowingRows(embeddings), np.asarray(embeddings.any(axis=1), np.bool_))

    def _set(self, catalogue: Catalogue, rows: GrowingRows[np.float32], embedded: NDArray[np.bool_]) -> None:
        if len(rows) != catalogue.span:
            raise ValueError(f"expected embeddings of {catalogue.span} rows, got {len(rows)}")
        self.catalogue, self._rows, self._embedded = catalogue, rows, embedded
        self.known: NDArray[np.bool_] = embedded & catalogue.alive

    @property
    def embeddings(self) -> Embeddings:
        """[span, d], zeros where a posting has none; rows that are seen no more keep theirs."""
        return self._rows.rows

    @property
    def dimension(self) -> int:
        """Length d of an embedding."""
        return int(self.embeddings.shape[1])

    def changed(self, catalogue: Catalogue, more: Embeddings) -> "EmbeddedRows":
        """Those of a changed catalogue, of whose new rows these are the embeddings, zeros where there is none."""
        changed = EmbeddedRows.__new__(EmbeddedRows)
        embedded = np.concatenate([self._embedded, more.any(axis=1)])
        changed._set(catalogue, self._rows.extended(more), embedded)
        return changed

    def embedding(self, posting_id: str) -> Embeddings | None:
        """The embedding [1, d] of a posting; None where it has none, or is not there."""
        row = self.catalogue.row(posting_id) if self.catalogue.holds(posting_id) else None
        return None if row is None or not self.known[row] else self.embeddings[row : row + 1]

    def embeddings_of(self, posting_ids: Sequence[str]) -> Embeddings:
        """The embeddings of some postings, [m, d]; zeros for those that have none."""
        found = np.zeros((len(posting_ids), self.dimension), np.float32)
        for line, posting_id in enumerate(posting_ids):
            if (embedding := self.embedding(posting_id)) is not None:
                found[line] = embedding[0]
        return found

    def by_id(self) -> NDArray[np.intp]:
        """The rows of `known`, by ascending ids of their postings."""
        rows = self.catalogue.by_id
        return rows[self.known[rows]]
