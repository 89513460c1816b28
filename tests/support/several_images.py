"""Postings with several images each, and their images one by one for naive comparisons."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, Features
from pricematch.catalogue.image_arrays import ImageArrays
from pricematch.catalogue.layers import Layered, in_layers
from pricematch.pairs.image_retrievers import IMAGE_RETRIEVERS
from tests.support.catalogues import drawn

MOST = 8


def drawn_several(count: int, seed: int = 0, share: float = 0.5, lacking: float = 0.2) -> Features:
    """Postings of `drawn`, a share of which have 2 to 8 images, some of them like others' or their own."""
    rng, first = np.random.default_rng(seed + 1000), drawn(count, seed, lacking)
    counts = np.where(rng.random(count) < share, rng.integers(1, MOST + 1, count), 1)
    pool = drawn(max(1, count // 2), seed, lacking).every.first
    images = [[row, *(count + rng.integers(len(pool), size=more - 1)).tolist()] for row, more in enumerate(counts)]
    every = first.every.first.joined(pool)

    def arrays(some: Sequence[int | None]) -> ImageArrays:
        return every[np.array([0 if it is None else it for it in some], np.intp)]

    return Features.shown(first.titles, in_layers(images, arrays), first.evidence)


def embedded(embeddings: Sequence[Embeddings]) -> Features:
    """Postings with these embeddings [images, d] each, by every retriever of images, and nothing else."""
    dimension = embeddings[0].shape[1] if embeddings else 1

    def arrays(some: Sequence[NDArray[np.float32] | None]) -> ImageArrays:
        vectors = np.array([np.zeros(dimension) if it is None else it for it in some], np.float32)
        every = dict.fromkeys(IMAGE_RETRIEVERS, vectors.reshape(len(some), dimension))
        return ImageArrays.of([None] * len(some), every, [None] * len(some))

    return Features.shown([""] * len(embeddings), in_layers([list(of) for of in embeddings], arrays))


def images_of(features: Features) -> list[list[tuple[int, ImageArrays]]]:
    """Of each posting its images, each with its place, one by one."""
    found: list[list[tuple[int, ImageArrays]]] = [[] for _ in range(len(features))]
    for place, layer in enumerate(features.every.layers):
        for at, row in enumerate(layer.rows.tolist()):
            found[row].append((place, layer.values[np.array([at])]))
    return found


def best(
    left: Sequence[tuple[int, ImageArrays]],
    right: Sequence[tuple[int, ImageArrays]],
    similarity: Callable[[ImageArrays, ImageArrays], float | None],
) -> tuple[float, tuple[int, int]] | None:
    """The highest similarity of two images, and the first places that have it; None where nothing compares them."""
    found = None
    for place, one in left:
        for other_place, other in right:
            value = similarity(one, other)
            if value is not None and (found is None or value > found[0]):
                found = value, (place, other_place)
    return found


def cosine(name: str) -> Callable[[ImageArrays, ImageArrays], float | None]:
    """The cosine of embeddings of one retriever, in float64."""

    def similarity(one: ImageArrays, other: ImageArrays) -> float | None:
        left, right = (it.embeddings[name][0].astype(np.float64) for it in (one, other))
        if not (left.any() and right.any()):
            return None
        return float(left @ right / (np.linalg.norm(left) * np.linalg.norm(right)))

    return similarity


def equal_bits(one: ImageArrays, other: ImageArrays) -> float | None:
    """The share of bits that two hashes have in common."""
    if not (one.hashes.known[0] and other.hashes.known[0]):
        return None
    return 1 - (int(one.hashes.values[0]) ^ int(other.hashes.values[0])).bit_count() / 64


def same_key(one: ImageArrays, other: ImageArrays) -> float | None:
    """1 for the same image key, 0 for others."""
    if not (one.images[0] and other.images[0]):
        return None
    return float(one.images[0] == other.images[0])


def keys(*numbers: int) -> Layered[NDArray[np.uint64]]:
    """The image keys of one posting."""
    return in_layers([numbers], lambda some: np.array([it or 0 for it in some], np.uint64))
