"""Finds the postings that resemble a picture or a stored posting."""

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
class Matcher:
    """A catalogue with all that is needed to search it. Immutable, safe to use from several threads.

    Attributes:
        catalogue: n postings.
        embeddings: [n, d], row i belongs to posting i.
        decoder, encoder: how a picture becomes an embedding.
        index: searches the embeddings.
    """

    catalogue: Catalogue
    embeddings: Embeddings
    decoder: Decoder
    encoder: Encoder
    index: Index

    @cached_property
    def graph(self) -> CatalogueGraph:
        """The neighbours of the whole catalogue."""
        return CatalogueGraph(self.embeddings)

    @property
    def versions(self) -> Mapping[str, str]:
        """Name and version of each model involved."""
        return self.encoder.versions

    def match(self, image: bytes, limit: int, min_similarity: float = -1.0) -> Matches:
        """The `limit` most similar postings of a picture that reach `min_similarity`; raises ImageError."""
        query = self.encoder.encode(self.decoder.decode(image)[np.newaxis])
        return self._search(query, limit).at_least(min_similarity)

    def match_posting(self, posting_id: str, limit: int, min_similarity: float = -1.0) -> Matches:
        """The same for a stored posting, itself excluded, from its stored embedding; raises PostingNotFound."""
        row = self.catalogue.row(posting_id)
        found = self._search(self.embeddings[row : row + 1], limit + 1)
        return found.without(posting_id).top(limit).at_least(min_similarity)

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
