"""Embeddings of the images of postings behind the first, in layers that grow at their end."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.catalogue.growing_array import GrowingArray
from pricematch.catalogue.layers import Layer


@dataclass(frozen=True, eq=False)
class EmbeddingLayer:
    """Embeddings of the images in one place behind the first, of those postings that have one there. Immutable.

    Attributes:
        rows: intp [k], ascending, the rows of these postings.
        vectors: float32 [k, d], zeros where an image has none.
        embedded: bool [k], which have one.
    """

    rows: GrowingArray[np.intp]
    vectors: GrowingArray[np.float32]
    embedded: NDArray[np.bool_]

    @cached_property
    def layer(self) -> Layer[Embeddings]:
        """The same to be looked up in."""
        return Layer(self.rows.values, self.vectors.values)

    def extended(self, more: Layer[Embeddings], span: int) -> "EmbeddingLayer":
        """With those of postings whose rows are counted from `span` on, behind all there are."""
        return EmbeddingLayer(
            self.rows.extended(more.rows + span),
            self.vectors.extended(more.values),
            np.concatenate([self.embedded, more.values.any(axis=1)]),
        )


def extended(
    layers: Sequence[EmbeddingLayer], more: Sequence[Layer[Embeddings]], span: int
) -> tuple[EmbeddingLayer, ...]:
    """Layers of `span` postings, and of some more behind them."""
    found = []
    for layer, behind in zip_longest(layers, more):
        if behind is None:
            found.append(layer)
        elif layer is None:
            rows, vectors = GrowingArray(behind.rows + span), GrowingArray(behind.values)
            found.append(EmbeddingLayer(rows, vectors, np.asarray(behind.values.any(axis=1), np.bool_)))
        else:
            found.append(layer.extended(behind, span))
    return tuple(found)
