"""Postings whose pictures one encoder embedded: which of them look alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.embedded_rows import EmbeddedRows
from pricematch.catalogue.embeddings import Embeddings
from pricematch.catalogue.image_features import EncoderInfo
from pricematch.catalogue.postings import Catalogue
from pricematch.clustering.catalogue_graph import CatalogueGraph
from pricematch.matching.exact_index import Index
from pricematch.matching.matches import Matches
from pricematch.stages import stage


@dataclass(frozen=True)
class EmbeddedCatalogue:
    """A catalogue, of which some or all postings have a picture, and all that is needed to search these by similarity.

    Immutable, safe to use from several threads.

    Attributes:
        rows: the embeddings of the postings.
        encoder: made the embeddings.
        index_over: makes what searches the embeddings.
    """

    rows: EmbeddedRows
    encoder: EncoderInfo
    index_over: Callable[[EmbeddedRows], Index]

    @property
    def catalogue(self) -> Catalogue:
        """The postings."""
        return self.rows.catalogue

    @property
    def embeddings(self) -> Embeddings:
        """[span, d], of the catalogue's rows; zeros where a posting has none."""
        return self.rows.embeddings

    @cached_property
    def index(self) -> Index:
        """Searches the embeddings."""
        return self.index_over(self.rows)

    @cached_property
    def by_id(self) -> NDArray[np.intp]:
        """The rows that have an embedding, by ascending ids of their postings."""
        return self.rows.by_id()

    @cached_property
    def graph(self) -> CatalogueGraph:
        """The neighbours of the rows `by_id`, which are its lines."""
        return CatalogueGraph(self.embeddings[self.by_id])

    @property
    def versions(self) -> Mapping[str, str]:
        """Name and version of each model involved."""
        return self.encoder.versions

    def changed(self, catalogue: Catalogue, more: Embeddings) -> "EmbeddedCatalogue":
        """That of a changed catalogue; see `EmbeddedRows.changed`."""
        return replace(self, rows=self.rows.changed(catalogue, more))

    def match(self, query: Embeddings, limit: int, min_similarity: float = -1.0) -> Matches:
        """The `limit` postings most similar to an embedding [1, d] that reach `min_similarity`."""
        return self._search(query, limit).at_least(min_similarity)

    def match_posting(self, posting_id: str, limit: int, min_similarity: float = -1.0) -> Matches:
        """The same for a stored posting, itself excluded, from its stored embedding; none where it has none."""
        if (embedding := self.rows.embedding(posting_id)) is None:
            return Matches([])
        return self._search(embedding, limit + 1).without(posting_id).top(limit).at_least(min_similarity)

    def similarities(self, query: Embeddings | None, posting_ids: Sequence[str]) -> list[float | None]:
        """The cosine of a query [1, d] and each of some postings; None where one of the two has no embedding."""
        return [self._similarity(query, self.rows.embedding(posting_id)) for posting_id in posting_ids]

    def _search(self, query: Embeddings, limit: int) -> Matches:
        with stage("search"):
            [found] = self.index.search(query, limit)
        return found

    @staticmethod
    def _similarity(one: Embeddings | None, other: Embeddings | None) -> float | None:
        return None if one is None or other is None else float(np.clip(one[0] @ other[0], -1, 1))
