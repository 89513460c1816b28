"""Features for the pair model, made of the features of images that encoders have computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, Features, ImageFeatures
from pricematch.catalogue.image_arrays import ImageArrays
from pricematch.catalogue.layers import Layer, Layered, in_layers
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

    def layered(self, key: str, images: Sequence[Sequence[ImageFeatures | None]]) -> Layered[Embeddings]:
        """The embeddings of all images of k postings, see `embeddings`."""
        return in_layers(images, partial(self.embeddings, key))

    def of_images(
        self,
        search: ProbabilitySearch,
        titles: Sequence[str],
        images: Sequence[Sequence[ImageFeatures | None]],
        metadata: Sequence[Metadata],
    ) -> Features:
        """Features of k queries, each a title, images in their places, None for what does not count, and metadata."""
        return Features.shown(
            titles, in_layers(images, partial(self._arrays, search)), search.evidence.values(metadata)
        )

    def of_stored(
        self, search: ProbabilitySearch, catalogue: Catalogue, stock: StockImages, rows: NDArray[np.integer]
    ) -> Features:
        """Features of some rows; stock images are none."""
        postings, seen = catalogue.select(rows), [*stock.shown.select(rows).layers]
        vectors = {name: [*self.similarity[key].images.select(rows).layers] for name, key in self.retrieved.items()}
        layers = []
        for place, layer in enumerate(seen):
            found = {name: of[place].values for name, of in vectors.items()}
            embeddings = _every_vector(search, len(layer), found)
            layers.append(Layer(layer.rows, ImageArrays(layer.values.hashes, embeddings, layer.values.keys)))
        shown = Layered(layers[0].values, tuple(layers[1:]))
        evidence = search.evidence.values([it.metadata for it in postings])
        features = Features.shown([it.title for it in postings], shown, evidence).without_unseen()
        return features.without_marked(stock.marked_images.select(rows))

    def _arrays(self, search: ProbabilitySearch, images: Sequence[ImageFeatures | None]) -> ImageArrays:
        vectors = {name: self.embeddings(key, images) for name, key in self.retrieved.items()}
        phashes = [None if image is None else image.phash for image in images]
        digests = [None if image is None else image.digest for image in images]
        return ImageArrays.of(phashes, _every_vector(search, len(images), vectors), digests)


def _every_vector(search: ProbabilitySearch, count: int, vectors: Mapping[str, Embeddings]) -> Mapping[str, Embeddings]:
    """Embeddings of `count` images for every retriever of the pair model; zeros where there are none."""
    return {
        name: vectors[name] if name in vectors else np.zeros((count, size), np.float32)
        for name, size in search.dimensions.items()
    }
