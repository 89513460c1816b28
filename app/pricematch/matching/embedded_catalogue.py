"""Postings whose pictures one encoder embedded: which of them look alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.embedded_rows import EmbeddedRows
from pricematch.catalogue.embeddings import Embeddings
from pricematch.catalogue.postings import Catalogue
from pricematch.clustering.catalogue_graph import CatalogueGraph
from pricematch.encoding.picture_encoder import PictureEncoder
from pricematch.errors import ImageError
from pricematch.matching.exact_index import Index
from pricematch.matching.matches import Matches
from pricematch.search.stages import stage


@dataclass(frozen=True)
class EmbeddedCatalogue:
    """A catalogue, of which some or all postings have a picture, and all that is needed to search these by similarity.

    Immutable, safe to use from several threads.

    Attributes:
        rows: the embeddings of the postings.
        encoder: makes an embedding of a picture.
        index_over: makes what searches the embeddings.
    """

    rows: EmbeddedRows
    encoder: PictureEncoder
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

    def match(self, image: bytes, limit: int, min_similarity: float = -1.0) -> Matches:
        """The `limit` most similar postings of a picture that reach `min_similarity`; raises ImageError."""
        return self._search(self.encoder.encode(image), limit).at_least(min_similarity)

    def match_each(self, images: Sequence[bytes], limit: int, least: float = -1.0) -> Sequence[Matches | ImageError]:
        """The same for several pictures, which are encoded together; of a bad one why it is."""
        embeddings, errors = self.encoder.embed(images)
        with stage("search"):
            found = iter(self.index.search(embeddings, limit) if len(embeddings) else [])
        return [next(found).at_least(least) if error is None else error for error in errors]

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
