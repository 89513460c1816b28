"""Features of all images of the postings of a catalogue file, by the names of the images."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, Features
from pricematch.catalogue.image_arrays import ImageArrays, image_keys
from pricematch.catalogue.layers import Layer, Layered, in_layers
from pricematch.catalogue.postings import Catalogue


def spread(part: Catalogue, embeddings: Layered[Embeddings], catalogue: Catalogue) -> Layered[Embeddings]:
    """Embeddings of some postings as those of a catalogue that has others too; zeros for these.

    Args:
        part: these postings, in the catalogue's order.
        embeddings: of their images; where there are those of the first ones only, others get zeros.
        catalogue: has them all.
    """
    of_part = np.array([catalogue.row(posting_id) for posting_id in part.posting_ids], np.intp)
    dimension = embeddings.first.shape[1]
    found = in_layers([[None] * max(1, len(it.images)) for it in catalogue], lambda some: _zeros(len(some), dimension))
    found.first[of_part] = embeddings.first
    for layer, here in zip(found.more, embeddings.more, strict=False):
        held, places = layer.places(of_part[here.rows])
        layer.values[places] = here.values[held]
    return found


def hashed(
    texts: Sequence[Sequence[str | None]], embeddings: Mapping[str, Layered[Embeddings]]
) -> Layered[ImageArrays]:
    """Features of the images of postings by their hashes and, by retriever, their embeddings in the same layers."""
    vectors = {name: [*of.layers] for name, of in embeddings.items()}
    found = []
    for at, layer in enumerate(in_layers(texts, lambda some: np.array(some, object)).layers):
        of = {name: layers[at].values for name, layers in vectors.items()}
        found.append(Layer(layer.rows, ImageArrays.of(layer.values.tolist(), of, [None] * len(layer))))
    return Layered(found[0].values, tuple(found[1:]))


def with_keys(features: Features, catalogue: Catalogue, digests: Mapping[str, bytes]) -> Features:
    """Features of a catalogue with image keys by the digests of images by name; 0 for those that have none."""

    def keys(names: Sequence[str | None]) -> NDArray[np.uint64]:
        return image_keys([None if name is None else digests.get(name) for name in names])

    read = [*in_layers([it.images or (None,) for it in catalogue], keys).layers]
    layers = [
        Layer(layer.rows, replace(layer.values, images=of.values))
        for layer, of in zip(features.every.layers, read, strict=True)
    ]
    return Features.shown(features.titles, Layered(layers[0].values, tuple(layers[1:])), features.evidence)


def layered_embeddings(features: Features) -> dict[str, Layered[Embeddings]]:
    """The embeddings of all images by retriever."""
    every = features.every
    return {
        name: Layered(first, tuple(Layer(it.rows, it.values.embeddings[name]) for it in every.more))
        for name, first in features.embeddings.items()
    }


def _zeros(count: int, dimension: int) -> Embeddings:
    return np.zeros((count, dimension), np.float32)
