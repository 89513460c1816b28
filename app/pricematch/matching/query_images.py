"""The images of a query: which of them are evidence, and what of them is compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pricematch.catalogue.features import Embeddings, ImageFeatures
from pricematch.catalogue.hashes import parse_hashes
from pricematch.catalogue.layers import in_layers
from pricematch.matching.image_pairs import ShownImages
from pricematch.matching.made_features import MadeFeatures
from pricematch.matching.queries import Query
from pricematch.matching.similarity import SimilaritySearch
from pricematch.matching.stock_images import StockImages


@dataclass(frozen=True, eq=False)
class QueryImages:
    """The images of a query against a catalogue.

    Attributes:
        query: shows them.
        stock: images of the catalogue that are no evidence.
        made: makes features of them.
    """

    query: Query
    stock: StockImages
    made: MadeFeatures

    @cached_property
    def evidence(self) -> Sequence[ImageFeatures | None]:
        """Each in its place, None for a stock image or one of one colour."""
        return [None if self.stock.silences(image) else image for image in self.query.images]

    @property
    def silent(self) -> bool:
        """Whether there are images, and none is evidence."""
        return bool(self.query.images) and not any(image is not None for image in self.evidence)

    @property
    def counted(self) -> Sequence[ImageFeatures | None]:
        """Those that tell how similar a posting is: the evidence; all where none is."""
        return self.query.images if self.silent else self.evidence

    @property
    def shown(self) -> ShownImages:
        """For the search of the nearest ones."""
        hashes = in_layers(
            [self.counted], lambda some: parse_hashes([None if image is None else image.phash for image in some])
        )
        return ShownImages(len(self.query.images), hashes, self.embeddings)

    def embeddings(self, search: SimilaritySearch) -> Embeddings | None:
        """The embeddings [images, d], zeros of images that do not count; None where there is none."""
        found = self.made.embeddings(search.encoder.key, self.counted)
        return found if found.any() else None
