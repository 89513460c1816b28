"""Postings whose pictures one encoder embedded: which of them look alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.errors import ImageError
from app.matching.catalogue_graph import CatalogueGraph
from app.matching.embeddings import Embeddings
from app.matching.matches import Match, Matches
from app.matching.ports import Decoder, Encoder, Index
from app.matching.postings import Catalogue


@dataclass(frozen=True)
class EmbeddedCatalogue:
    """Postings with a picture, and all that is needed to search them by similarity.

    Immutable, safe to use from several threads.

    Attributes:
        catalogue: n postings.
        embeddings: [n, d], row i belongs to posting i.
        decoder, encoder: how a picture becomes an embedding.
        index: searches the embeddings.
        threshold: the similarity from which on two pictures are said to show the same product; None where none was
            measured with the encoder.
    """

    catalogue: Catalogue
    embeddings: Embeddings
    decoder: Decoder
    encoder: Encoder
    index: Index
    threshold: float | None = None

    @cached_property
    def graph(self) -> CatalogueGraph:
        """The neighbours of all of them."""
        return CatalogueGraph(self.embeddings)

    @property
    def versions(self) -> Mapping[str, str]:
        """Name and version of each model involved."""
        return self.encoder.versions

    def match(self, image: bytes, limit: int, min_similarity: float = -1.0) -> Matches:
        """The `limit` most similar postings of a picture that reach `min_similarity`; raises ImageError."""
        return self._search(self.encode(image), limit).at_least(min_similarity)

    def match_posting(self, posting_id: str, limit: int, min_similarity: float = -1.0) -> Matches:
        """The same for a stored posting, itself excluded, from its stored embedding; raises PostingNotFound."""
        row = self.catalogue.row(posting_id)
        found = self._search(self.embeddings[row : row + 1], limit + 1)
        return found.without(posting_id).top(limit).at_least(min_similarity)

    def encode(self, image: bytes) -> Embeddings:
        """The embedding [1, d] of a picture; raises ImageError."""
        return self.encoder.encode(self.decoder.decode(image)[np.newaxis])

    def embedding(self, posting_id: str) -> Embeddings | None:
        """The embedding [1, d] of a stored posting; None where it has none."""
        if not self.catalogue.holds(posting_id):
            return None
        row = self.catalogue.row(posting_id)
        return self.embeddings[row : row + 1]

    def embeddings_of(self, posting_ids: Sequence[str]) -> Embeddings:
        """The embeddings of some postings, [m, d]; zeros for those that have none."""
        found = np.zeros((len(posting_ids), self.encoder.dimension), np.float32)
        for line, posting_id in enumerate(posting_ids):
            if self.catalogue.holds(posting_id):
                found[line] = self.embeddings[self.catalogue.row(posting_id)]
        return found

    def similarities(self, query: Embeddings | None, posting_ids: Sequence[str]) -> list[float | None]:
        """The cosine of a query [1, d] and each of some postings; None where one of the two has no embedding."""
        return [self._similarity(query, self.embedding(posting_id)) for posting_id in posting_ids]

    def embed(self, images: Sequence[bytes]) -> tuple[Embeddings, list[ImageError | None]]:
        """Embed pictures of which some may be bad.

        Returns:
            embeddings [m, d] of the m good ones in order, and per picture its error, None where it is good.
        """
        pixels: list[NDArray[np.uint8]] = []
        errors: list[ImageError | None] = []
        for image in images:
            try:
                pixels.append(self.decoder.decode(image))
                errors.append(None)
            except ImageError as error:
                errors.append(error)
        if not pixels:
            return np.empty((0, self.encoder.dimension), np.float32), errors
        return self.encoder.encode(np.stack(pixels)), errors

    def _search(self, query: Embeddings, limit: int) -> Matches:
        rows, similarities = self.index.search(query, limit)
        return Matches(
            [
                Match(self.catalogue[row].posting_id, float(similarity))
                for row, similarity in zip(rows[0], similarities[0], strict=True)
            ]
        )

    @staticmethod
    def _similarity(one: Embeddings | None, other: Embeddings | None) -> float | None:
        return None if one is None or other is None else float(np.clip(one[0] @ other[0], -1, 1))
