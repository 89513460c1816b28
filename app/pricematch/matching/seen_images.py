"""What is known of the images of postings without encoders: hashes, image keys, and whether they are of one colour."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import ImageFeatures
from pricematch.catalogue.hashes import ONE_COLOUR, Hashes, decisive_hashes, parse_hashes
from pricematch.catalogue.image_arrays import image_keys
from pricematch.catalogue.layers import Layer, Layered, in_layers


@dataclass(frozen=True, eq=False)
class SeenImages:
    """What is known of k images.

    Attributes:
        hashes: k.
        keys: uint64 [k], image keys, 0 where one is not there, or of one colour.
        one_colour: bool [k], which are of one colour; they have no hash and no image key.
    """

    hashes: Hashes
    keys: NDArray[np.uint64]
    one_colour: NDArray[np.bool_]

    @classmethod
    def of(cls, hashes: Sequence[str | None], digests: Sequence[bytes | None]) -> "SeenImages":
        """Those of hashes of 16 hexadecimal digits, or `ONE_COLOUR`, and SHA-256 digests."""
        one_colour = np.array([text == ONE_COLOUR for text in hashes], np.bool_)
        keys = image_keys(digests)
        keys[one_colour] = 0
        return cls(parse_hashes(hashes), keys, one_colour)

    @classmethod
    def of_images(
        cls, own: Sequence[str | None], images: Sequence[Sequence[ImageFeatures | None]]
    ) -> "Layered[SeenImages]":
        """Those of postings with hashes of their own, or None, and some images each, None for what cannot be used."""
        found = in_layers(images, lambda some: cls._of(some, [None] * len(some)))
        return Layered(cls._of([of[0] if of else None for of in images], own), found.more)

    @classmethod
    def _of(cls, images: Sequence[ImageFeatures | None], own: Sequence[str | None]) -> "SeenImages":
        computed = [None if image is None else image.phash for image in images]
        return cls.of(decisive_hashes(own, computed), [None if image is None else image.digest for image in images])

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, rows: NDArray[np.integer]) -> "SeenImages":
        return SeenImages(self.hashes.select(rows), self.keys[rows], self.one_colour[rows])

    def joined(self, more: "SeenImages") -> "SeenImages":
        """These and some more behind them."""
        return SeenImages(
            self.hashes.joined(more.hashes),
            np.concatenate([self.keys, more.keys]),
            np.concatenate([self.one_colour, more.one_colour]),
        )

    @property
    def there(self) -> NDArray[np.bool_]:
        """Bool [k], of which anything is known."""
        return np.asarray(self.hashes.known | (self.keys != 0) | self.one_colour, np.bool_)


def of_any(marked: Layered[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Which of n postings have an image that is marked, bool [n]."""
    found = marked.first
    for layer in marked.more:
        found = found.copy()
        found[layer.rows] |= layer.values
    return found


def counted(there: Layered[NDArray[np.bool_]], no_evidence: Layered[NDArray[np.bool_]]) -> Layered[NDArray[np.bool_]]:
    """Which images tell how similar postings are: those that are evidence, and of a posting without any all there are.

    Args:
        there: whether there is anything to compare of an image.
        no_evidence: of the same images.
    """
    telling = _both(there, no_evidence.made(np.logical_not))
    silent = ~of_any(telling)
    first = telling.first | (there.first & silent)
    more = [
        Layer(layer.rows, layer.values | (those.values & silent[layer.rows]))
        for layer, those in zip(telling.more, there.more, strict=True)
    ]
    return Layered(first, tuple(more))


def _both(one: Layered[NDArray[np.bool_]], other: Layered[NDArray[np.bool_]]) -> Layered[NDArray[np.bool_]]:
    more = [Layer(a.rows, a.values & b.values) for a, b in zip(one.more, other.more, strict=True)]
    return Layered(one.first & other.first, tuple(more))
