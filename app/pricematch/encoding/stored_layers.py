"""Features of all images of stored postings, layer by layer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.catalogue.hashes import decisive_hashes
from pricematch.catalogue.image_arrays import ImageArrays
from pricematch.catalogue.layers import Layer, Layered
from pricematch.catalogue.postings import Posting
from pricematch.encoding.stored_images import StoredImages, digests_of


@dataclass(frozen=True, eq=False)
class StoredLayers:
    """The images of n postings.

    Attributes:
        own: n, hashes of postings' own, which are of their first images; None where one has none.
        rows: intp [k] each, which postings have a second image, a third and so on.
        digests: SHA-256 of the first images, n, and of those of each of `rows`; None where there is none.
    """

    own: Sequence[str | None]
    rows: Sequence[NDArray[np.intp]]
    digests: Sequence[Sequence[bytes | None]]

    @classmethod
    def of(cls, postings: Sequence[Posting]) -> "StoredLayers":
        """Those of some postings, whose images are named by their digests."""
        counts = np.fromiter((len(it.more_images) for it in postings), np.intp, len(postings))
        rows = [np.flatnonzero(counts > place) for place in range(int(counts.max(initial=0)))]
        names = [[postings[row].more_images[place] for row in some.tolist()] for place, some in enumerate(rows)]
        digests = [digests_of(it.image for it in postings), *map(digests_of, names)]
        return cls([it.image_phash for it in postings], rows, digests)

    @property
    def every(self) -> list[bytes | None]:
        """The digests of all images."""
        return [digest for some in self.digests for digest in some]

    def embeddings(self, images: StoredImages, key: str, dimension: int) -> Layered[Embeddings]:
        """The embeddings that are kept of all images; zeros where there is none, or one that cannot be used."""
        return self._layered([images.embeddings(key, dimension, some) for some in self.digests])

    def hashes(self, images: StoredImages) -> list[list[str | None]]:
        """The hashes that postings are matched by, layer by layer: their own, else those of the images."""
        own = [self.own, *([None] * len(some) for some in self.rows)]
        return [decisive_hashes(given, images.hashes(some)) for given, some in zip(own, self.digests, strict=True)]

    def arrays(
        self, hashes: Iterable[Sequence[str | None]], embeddings: Mapping[str, Layered[Embeddings]]
    ) -> Layered[ImageArrays]:
        """Features of all images by their `hashes`, and by embeddings by retriever."""
        vectors = {name: [layer.values for layer in of.layers] for name, of in embeddings.items()}
        found = [
            ImageArrays.of(some, {name: of[place] for name, of in vectors.items()}, self.digests[place])
            for place, some in enumerate(hashes)
        ]
        return Layered(found[0], tuple(map(Layer, self.rows, found[1:])))

    def _layered(self, values: Sequence[Embeddings]) -> Layered[Embeddings]:
        return Layered(values[0], tuple(map(Layer, self.rows, values[1:])))
