"""Features of images as arrays, image by image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.hashes import ONE_COLOUR, Hashes, parse_hashes
from pricematch.catalogue.layers import Layered, best_pairs


@dataclass(frozen=True, eq=False)
class ImageArrays:
    """Features of k images, any of which may be missing.

    Attributes:
        hashes: k.
        embeddings: by retriever, float32 [k, d], unit rows, zeros where there is none.
        images: uint64 [k], the first 64 bits of the SHA-256 of each image's bytes, 0 where they were not read.
    """

    hashes: Hashes
    embeddings: Mapping[str, NDArray[np.float32]]
    images: NDArray[np.uint64]

    @classmethod
    def of(
        cls,
        hashes: Sequence[str | None],
        embeddings: Mapping[str, NDArray[np.float32]],
        digests: Sequence[bytes | None],
    ) -> "ImageArrays":
        """Features from hashes of 16 hexadecimal digits and SHA-256 digests; nothing where one is `ONE_COLOUR`."""
        plain = np.array([text == ONE_COLOUR for text in hashes], np.bool_)
        found = cls(parse_hashes(hashes), embeddings, image_keys(digests))
        return found.without(plain) if plain.any() else found

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: NDArray[np.integer]) -> "ImageArrays":
        embeddings = {name: vectors[rows] for name, vectors in self.embeddings.items()}
        return ImageArrays(self.hashes.select(rows), embeddings, self.images[rows])

    def joined(self, more: "ImageArrays") -> "ImageArrays":
        """These and some more behind them, with embeddings for the same retrievers."""
        return ImageArrays(
            self.hashes.joined(more.hashes),
            {name: np.concatenate([vectors, more.embeddings[name]]) for name, vectors in self.embeddings.items()},
            np.concatenate([self.images, more.images]),
        )

    def without(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> "ImageArrays":
        """The same with nothing at some rows, or where a mask is true."""
        values, known, images = self.hashes.values.copy(), self.hashes.known.copy(), self.images.copy()
        values[rows], known[rows], images[rows] = 0, False, 0
        embeddings = {name: vectors.copy() for name, vectors in self.embeddings.items()}
        for vectors in embeddings.values():
            vectors[rows] = 0
        return ImageArrays(Hashes(values, known), embeddings, images)

    @property
    def shown(self) -> bool:
        """Whether there is a hash or an embedding among them."""
        return bool(self.hashes.known.any()) or any(vectors.any() for vectors in self.embeddings.values())

    def without_unseen(self) -> "ImageArrays":
        """The same without embeddings where there is no image key: an image of one colour has none."""
        seen = (self.images != 0)[:, np.newaxis]
        if seen.all():
            return self
        embeddings = {name: vectors * seen for name, vectors in self.embeddings.items()}
        return ImageArrays(self.hashes, embeddings, self.images)


def image_keys(digests: Sequence[bytes | None]) -> NDArray[np.uint64]:
    """The first 64 bits of SHA-256 digests, uint64 [n]; 0 for None."""
    return np.array([0 if digest is None else int.from_bytes(digest[:8], "big") for digest in digests], np.uint64)


def same_images(one: NDArray[np.uint64], other: NDArray[np.uint64] | int) -> NDArray[np.float32]:
    """Whether image keys [m] are those of others, [m] or one, float32 [m]; NaN where an image was not read."""
    return np.where((one == 0) | (other == 0), np.nan, one == other).astype(np.float32)


def same_pairs(
    left: NDArray[np.uint64],
    right: NDArray[np.uint64],
    left_rows: NDArray[np.integer],
    right_rows: NDArray[np.integer],
) -> NDArray[np.float32]:
    """`same_images` of pairs of rows [m] of image keys."""
    return same_images(left[left_rows], right[right_rows])


def same_image(
    keys: Layered[NDArray[np.uint64]], rows: NDArray[np.integer], others: Layered[NDArray[np.uint64]]
) -> NDArray[np.float32]:
    """Whether some rows [m] of keys have an image in common with the one posting of others, float32 [m], or NaN."""
    return best_pairs(keys, others, rows, np.zeros_like(rows), same_pairs)[0]
