"""What postings carry that signals can be computed from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.embeddings import Embeddings
from pricematch.catalogue.hashes import Hashes, parse_hashes

NO_EMBEDDINGS: Mapping[str, Embeddings] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Carried:
    """Titles, hashes and pictures of n postings; each may lack any of them.

    Attributes:
        titles: n, decoded text, "" where absent.
        hashes: n.
        embeddings: by the name of a space, float32 [n, d], unit rows, zeros where there is no picture.
        images: uint64 [n], the first 64 bits of the SHA-256 of each picture's bytes, 0 where they were not read.
    """

    titles: Sequence[str]
    hashes: Hashes
    embeddings: Mapping[str, Embeddings]
    images: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.titles)

    def select(self, rows: NDArray[np.integer]) -> "Carried":
        """What some of the postings carry, in the order given."""
        embeddings = {name: vectors[rows] for name, vectors in self.embeddings.items()}
        hashes = Hashes(self.hashes.values[rows], self.hashes.known[rows])
        return Carried([self.titles[row] for row in rows], hashes, embeddings, self.images[rows])

    def without_titles(self, rows: NDArray[np.integer]) -> "Carried":
        """The same with no title at some rows."""
        missing = set(rows.tolist())
        return replace(self, titles=["" if row in missing else title for row, title in enumerate(self.titles)])

    def without_pictures(self, rows: NDArray[np.integer]) -> "Carried":
        """The same with neither hash nor picture at some rows."""
        values, known, images = self.hashes.values.copy(), self.hashes.known.copy(), self.images.copy()
        values[rows], known[rows], images[rows] = 0, False, 0
        embeddings = {name: vectors.copy() for name, vectors in self.embeddings.items()}
        for vectors in embeddings.values():
            vectors[rows] = 0
        return replace(self, hashes=Hashes(values, known), images=images, embeddings=embeddings)


def carried(
    titles: Sequence[str],
    hashes: Sequence[str | None],
    embeddings: Mapping[str, Embeddings] = NO_EMBEDDINGS,
    images: Sequence[bytes | None] | None = None,
) -> Carried:
    """What n postings carry, from hashes of 16 hexadecimal digits and SHA-256 digests of pictures.

    Args:
        titles: n, "" where absent.
        hashes: n.
        embeddings: by the name of a space, float32 [n, d], rows of zeros where there is no picture.
        images: n digests, None where a picture was not read.
    """
    return Carried(titles, parse_hashes(hashes), embeddings, image_keys(images or [None] * len(titles)))


def image_keys(digests: Sequence[bytes | None]) -> NDArray[np.uint64]:
    """The first 64 bits of SHA-256 digests, uint64 [n]; 0 for None."""
    return np.array([0 if digest is None else int.from_bytes(digest[:8], "big") for digest in digests], np.uint64)
