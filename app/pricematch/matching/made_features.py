"""Features for the pair model, made of the features of images that encoders have computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, Features, ImageFeatures
from pricematch.catalogue.metadata import Metadata
from pricematch.catalogue.postings import Catalogue
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.similarity import SimilaritySearch
from pricematch.matching.stock_images import StockImages


@dataclass(frozen=True)
class MadeFeatures:
    """Makes features for a pair model.

    Attributes:
        similarity: by encoder key, the search by similarity.
        retrieved: encoder key by the name of the retriever of the pair model that takes its embeddings.
    """

    similarity: Mapping[str, SimilaritySearch]
    retrieved: Mapping[str, str]

    def embeddings(self, key: str, images: Sequence[ImageFeatures | None]) -> Embeddings:
        """float32 [k, d] by an encoder; zeros where there is no image, or it was not encoded by this one."""
        found = np.zeros((len(images), self.similarity[key].encoder.dimension), np.float32)
        for row, image in enumerate(images):
            if image is not None and key in image.embeddings:
                found[row] = image.embeddings[key]
        return found

    def of_images(
        self,
        search: ProbabilitySearch,
        titles: Sequence[str],
        images: Sequence[ImageFeatures | None],
        metadata: Sequence[Metadata],
    ) -> Features:
        """Features of k queries, each a title, an image or None, and metadata."""
        vectors = {name: self.embeddings(key, images) for name, key in self.retrieved.items()}
        phashes = [None if image is None else image.phash for image in images]
        digests = [None if image is None else image.digest for image in images]
        found = Features.of(titles, phashes, _every_vector(search, len(titles), vectors), digests)
        return replace(found, evidence=search.evidence.values(metadata))

    def of_stored(
        self, search: ProbabilitySearch, catalogue: Catalogue, stock: StockImages, rows: NDArray[np.integer]
    ) -> Features:
        """Features of some rows; stock images are none."""
        vectors = {name: self.similarity[key].embeddings[rows] for name, key in self.retrieved.items()}
        postings = catalogue.select(rows)
        titles, metadata = [it.title for it in postings], [it.metadata for it in postings]
        every, evidence = _every_vector(search, len(rows), vectors), search.evidence.values(metadata)
        found = Features(titles, stock.hashes.select(rows), every, stock.images[rows], evidence).without_unseen()
        return found.without_images(np.flatnonzero(stock.marked[rows]))


def _every_vector(search: ProbabilitySearch, count: int, vectors: Mapping[str, Embeddings]) -> Mapping[str, Embeddings]:
    """Embeddings of `count` postings for every retriever of the pair model; zeros where there are none."""
    return {
        name: vectors[name] if name in vectors else np.zeros((count, size), np.float32)
        for name, size in search.dimensions.items()
    }
