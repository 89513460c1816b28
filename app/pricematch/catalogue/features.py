"""Features of postings as arrays in the order of their rows, and arrays that grow at their end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.embeddings import Embeddings
from pricematch.catalogue.hashes import Hashes, parse_hashes

T = TypeVar("T", bound=np.generic)
NO_EMBEDDINGS: Mapping[str, Embeddings] = MappingProxyType({})
_ROOM = 1.5
_LEAST_ROOM = 64


@dataclass(frozen=True, eq=False)
class Features:
    """Features of n postings, any of which may be missing.

    Attributes:
        titles: n, decoded text, "" where there is none.
        hashes: n.
        embeddings: by retriever, float32 [n, d], unit rows, zeros where there is no image.
        images: uint64 [n], the first 64 bits of the SHA-256 of each image's bytes, 0 where they were not read.
    """

    titles: Sequence[str]
    hashes: Hashes
    embeddings: Mapping[str, Embeddings]
    images: NDArray[np.uint64]

    @classmethod
    def of(
        cls,
        titles: Sequence[str],
        hashes: Sequence[str | None],
        embeddings: Mapping[str, Embeddings] = NO_EMBEDDINGS,
        images: Sequence[bytes | None] | None = None,
    ) -> "Features":
        """Features from hashes of 16 hexadecimal digits and SHA-256 digests.

        Args:
            titles: n, "" where there is none.
            hashes: n.
            embeddings: by retriever, float32 [n, d], rows of zeros where there is no image.
            images: n digests, None where an image was not read.
        """
        return cls(titles, parse_hashes(hashes), embeddings, image_keys(images or [None] * len(titles)))

    def __len__(self) -> int:
        return len(self.titles)

    def select(self, rows: NDArray[np.integer]) -> "Features":
        """The features of some postings, in the order given."""
        embeddings = {name: vectors[rows] for name, vectors in self.embeddings.items()}
        hashes = Hashes(self.hashes.values[rows], self.hashes.known[rows])
        return Features([self.titles[row] for row in rows], hashes, embeddings, self.images[rows])

    def without_titles(self, rows: NDArray[np.integer]) -> "Features":
        """The same without titles at some rows."""
        missing = set(rows.tolist())
        return replace(self, titles=["" if row in missing else title for row, title in enumerate(self.titles)])

    def without_images(self, rows: NDArray[np.integer]) -> "Features":
        """The same without hashes, embeddings and image keys at some rows."""
        values, known, images = self.hashes.values.copy(), self.hashes.known.copy(), self.images.copy()
        values[rows], known[rows], images[rows] = 0, False, 0
        embeddings = {name: vectors.copy() for name, vectors in self.embeddings.items()}
        for vectors in embeddings.values():
            vectors[rows] = 0
        return replace(self, hashes=Hashes(values, known), images=images, embeddings=embeddings)


def image_keys(digests: Sequence[bytes | None]) -> NDArray[np.uint64]:
    """The first 64 bits of SHA-256 digests, uint64 [n]; 0 for None."""
    return np.array([0 if digest is None else int.from_bytes(digest[:8], "big") for digest in digests], np.uint64)


class _Buffer(Generic[T]):
    """Memory for more rows than are used."""

    def __init__(self, memory: NDArray[T], used: int) -> None:
        self.memory, self.used = memory, used


class GrowingArray(Generic[T]):
    """An array [n, …] that grows at its end while others go on reading it. Immutable.

    `extended` gives a longer one that shares memory with this one where there is room, so that adding costs what is
    added, and whoever holds the shorter one sees no more than before. Of threads that extend the same array one at a
    time may.

    Args:
        values: copied.
    """

    def __init__(self, values: NDArray[T]) -> None:
        self._fill(_Buffer(_with_room(values, len(values)), len(values)))

    def _fill(self, buffer: _Buffer[T]) -> None:
        self._buffer, self._count = buffer, buffer.used
        self.values: NDArray[T] = buffer.memory[: buffer.used]
        self.values.flags.writeable = False

    def __len__(self) -> int:
        return self._count

    def extended(self, more: NDArray[T]) -> "GrowingArray[T]":
        """This array and more rows behind it."""
        buffer, count = self._buffer, self._count + len(more)
        if buffer.used != self._count or count > len(buffer.memory):
            buffer = _Buffer(_with_room(self.values, count), self._count)
        buffer.memory[self._count : count] = more
        buffer.used = count
        longer = GrowingArray.__new__(GrowingArray)
        longer._fill(buffer)
        return longer


def _with_room(values: NDArray[T], count: int) -> NDArray[T]:
    """A copy of values with memory for `count` rows and some more."""
    memory = np.empty((int(max(count, _LEAST_ROOM) * _ROOM), *values.shape[1:]), values.dtype)
    memory[: len(values)] = values
    return memory
