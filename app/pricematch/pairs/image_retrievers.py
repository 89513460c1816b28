"""Retrievers by images: by their perceptual hashes, and by the embeddings of an encoder or of their colours."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, Features
from pricematch.catalogue.hashes import Hashes
from pricematch.catalogue.image_arrays import ImageArrays
from pricematch.pairs.retriever import ParsedFeatures, Retrieved, Retriever, Rows
from pricematch.pairs.shades import SHADES, shade_similarities
from pricematch.search.dense import DenseIndex
from pricematch.search.hamming import HammingIndex, similarity_of
from pricematch.search.sparse import FEW_QUERIES

IMAGE_RETRIEVERS = ("image", "colours")
"""Retrievers by embeddings of images: an encoder's, and a histogram of `pricematch.encoding.colours`."""
MAX_DISTANCE = 16
"""Bits in which the hashes of candidates differ, at most; unrelated images differ in about 32."""
_BLOCK_VALUES = 4 * 1024 * 1024


class HashRetriever(Retriever[Hashes]):
    """Retrieves by perceptual hash, within `MAX_DISTANCE` bits.

    Args:
        hashes: of the catalogue's postings.
    """

    def __init__(self, hashes: Hashes) -> None:
        least = float(similarity_of(np.array(MAX_DISTANCE)))
        super().__init__("hash", least, hashes, HammingIndex(hashes, MAX_DISTANCE))

    def transform(self, features: ParsedFeatures, others: "Mapping[str, Retrieved]") -> Hashes:  # noqa: ARG002
        """The hashes of new postings."""
        return features.features.hashes

    def selected(self, vectors: Hashes, rows: Rows) -> Hashes:
        """Some of the hashes."""
        return vectors.select(rows)

    def joined(self, one: Hashes, other: Hashes) -> Hashes:
        """The hashes of both."""
        return one.joined(other)

    def similarities(
        self,
        left: Hashes,
        right: Hashes,
        left_rows: Rows,
        right_rows: Rows,
        compared: NDArray[np.float64] | None = None,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """The share of equal bits, 0…1."""
        distance = np.bitwise_count(left.values[left_rows] ^ right.values[right_rows])
        found = similarity_of(distance).astype(np.float32)
        found[~(left.known[left_rows] & right.known[right_rows])] = np.nan
        return found


class EmbeddingRetriever(Retriever[Embeddings]):
    """Retrieves by the cosine of embeddings of images, however low it is.

    Args:
        name: one of `IMAGE_RETRIEVERS`.
        features: of the catalogue, or of its images, with embeddings of that name, else raises ValueError.
    """

    def __init__(self, name: str, features: Features | ImageArrays) -> None:
        embeddings = embeddings_called(name, features)
        super().__init__(name, -np.inf, embeddings, DenseIndex(embeddings))

    def transform(self, features: ParsedFeatures, others: "Mapping[str, Retrieved]") -> Embeddings:  # noqa: ARG002
        """The embeddings of new postings."""
        return embeddings_called(self.name, features.features)

    def selected(self, vectors: Embeddings, rows: Rows) -> Embeddings:
        """Some of the embeddings."""
        return vectors[rows]

    def joined(self, one: Embeddings, other: Embeddings) -> Embeddings:
        """The embeddings of both."""
        return np.concatenate([one, other])

    def similarities(
        self,
        left: Embeddings,
        right: Embeddings,
        left_rows: Rows,
        right_rows: Rows,
        compared: NDArray[np.float64] | None = None,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """The cosine, −1…1."""
        found = np.empty(len(left_rows), np.float32)
        if len(left) <= FEW_QUERIES and not left.any():  # queries without an image
            found.fill(np.nan)
            return found
        step = max(1, _BLOCK_VALUES // max(1, left.shape[1]))
        for first in range(0, len(left_rows), step):
            piece = slice(first, first + step)
            found[piece] = self._compared(_rows_of(left, left_rows[piece]), right[right_rows[piece]])
        doubtful = np.flatnonzero(found == 0)  # as those of rows of zeros are
        ends = left[left_rows[doubtful]], right[right_rows[doubtful]]
        found[doubtful[~(ends[0].any(axis=1) & ends[1].any(axis=1))]] = np.nan
        return found

    def _compared(self, one: Embeddings, other: Embeddings) -> NDArray[np.float32]:
        """The similarity of each of m embeddings to its other, float32 [m]."""
        return np.asarray(np.einsum("ij,ij->i", one, other), np.float32)


class ShadeRetriever(EmbeddingRetriever):
    """Retrieves colours by the cosine of histograms of shades, and compares them in another light, too.

    So the similarity of a pair may be higher than the cosine that the search has found.
    """

    def _compared(self, one: Embeddings, other: Embeddings) -> NDArray[np.float32]:
        """See `shade_similarities`."""
        return shade_similarities(one, other)


def image_retriever(name: str, features: Features | ImageArrays) -> EmbeddingRetriever:
    """One of `IMAGE_RETRIEVERS`; histograms of colours tell by their length whether they are of shades."""
    shades = name == "colours" and embeddings_called(name, features).shape[1] == SHADES
    return (ShadeRetriever if shades else EmbeddingRetriever)(name, features)


def _rows_of(embeddings: Embeddings, rows: Rows) -> Embeddings:
    """Some rows; where they are one and the same, as a query's is, it is not copied."""
    if len(rows) and (rows == rows[0]).all():
        return np.broadcast_to(embeddings[rows[0]], (len(rows), embeddings.shape[1]))
    return embeddings[rows]


def embeddings_called(name: str, features: Features | ImageArrays) -> Embeddings:
    """The embeddings of one of `IMAGE_RETRIEVERS`; raises ValueError where there are none."""
    if name not in features.embeddings:
        raise ValueError(f"expected postings with embeddings called {name}, got {list(features.embeddings)}")
    return features.embeddings[name]
