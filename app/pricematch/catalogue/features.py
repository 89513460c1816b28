"""Features of single images, and of postings as arrays, row by row: titles, hashes, embeddings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pricematch.catalogue.evidence import EvidenceValues
from pricematch.catalogue.fields import Field
from pricematch.errors import ModelOutputError

T = TypeVar("T", bound=np.generic)
Embeddings: TypeAlias = NDArray[np.float32]
"""float32 [n, d], each row of Euclidean length 1, contiguous."""
NO_EMBEDDINGS: Mapping[str, Embeddings] = MappingProxyType({})
BITS = 64
"""Bits of a perceptual hash."""
ONE_COLOUR = "one colour"
"""Stands where the hash of an image would, of one that shows nothing: it is no evidence for anything."""
_ROOM = 1.5
_LEAST_ROOM = 64


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long an image and those encoded together with it have taken.

    Attributes:
        queue: this image waited for a process.
        decode: all became pixels and hashes.
        encode: pixels became embeddings.
    """

    queue: float = 0.0
    decode: float = 0.0
    encode: float = 0.0


@dataclass(frozen=True, eq=False, slots=True)
class ImageFeatures:
    """Features of one image.

    Attributes:
        digest: SHA-256 of its bytes, 32 bytes.
        phash: perceptual hash, 16 hexadecimal digits; None where it was not wanted; `ONE_COLOUR` whether it was or not.
        embeddings: by encoder key, float32 [d] of unit length.
        seconds: how long it took.
        stored_form: the bytes that are stored of it, of which all else is; empty where they were not wanted.
        thumbnail: a JPEG of it; empty where it was not wanted.
    """

    digest: bytes
    phash: str | None
    embeddings: Mapping[str, NDArray[np.float32]]
    seconds: Seconds = Seconds()
    stored_form: bytes = b""
    thumbnail: bytes = b""

    @property
    def one_colour(self) -> bool:
        """Whether it shows nothing, and is no evidence."""
        return self.phash == ONE_COLOUR


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which features of images are wanted.

    Attributes:
        encoders: keys of the encoders whose embeddings are wanted; they are loaded.
        phash: whether the perceptual hash is.
        stored_form: whether they are to be those of its stored form, which is wanted too; if nothing else is, the image
            is not decoded.
        thumbnail_side: pixels of the longer side of the thumbnail that is wanted; 0: none is.
    """

    encoders: frozenset[str] = frozenset()
    phash: bool = False
    stored_form: bool = False
    thumbnail_side: int = 0


@dataclass(frozen=True, slots=True)
class EncoderInfo:
    """What is known of an encoder without running it.

    Attributes:
        key: names everything an embedding depends on beside its image: weights, arithmetic, decoder.
        versions: name and version of each model involved; empty where there is no model.
        dimension: length d of an embedding.
        threshold: the similarity from which on two images are taken to show the same product; None where none was
            measured with the encoder.
    """

    key: str
    versions: Mapping[str, str]
    dimension: int
    threshold: float | None = None


@dataclass(frozen=True, eq=False)
class Hashes:
    """64-bit perceptual hashes of postings, as `imagehash.phash` computes them.

    Each is a discrete cosine transform of the 32×32 greyscale image, its lowest 8×8 frequencies against their median;
    the competition's column `image_phash` holds them as 16 hexadecimal digits.

    Attributes:
        values: uint64 [n]; 0 where there is none.
        known: bool [n], whether the posting has one.
    """

    values: NDArray[np.uint64]
    known: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.values)

    def select(self, rows: NDArray[np.integer]) -> "Hashes":
        """The hashes of some postings, in the order given."""
        return Hashes(self.values[rows], self.known[rows])

    def joined(self, more: "Hashes") -> "Hashes":
        """These and some more behind them."""
        return Hashes(np.concatenate([self.values, more.values]), np.concatenate([self.known, more.known]))


def parse_hashes(texts: Sequence[str | None]) -> Hashes:
    """Hashes from 16 hexadecimal digits each; None and `ONE_COLOUR` are none."""
    known = np.array([text not in (None, ONE_COLOUR) for text in texts], bool)
    digits = [text or "0" if there else "0" for text, there in zip(texts, known, strict=True)]
    return Hashes(np.array([int(text, 16) for text in digits], np.uint64), known)


def decisive_hashes(own: Iterable[str | None], computed: Iterable[str | None]) -> list[str | None]:
    """Of each posting its own hash, else that of its image; `ONE_COLOUR` where its image is."""
    pairs = zip(own, computed, strict=True)
    return [found if found == ONE_COLOUR else given or found for given, found in pairs]


def unit_rows(values: ArrayLike, dimension: int) -> Embeddings:
    """Scale each row to unit length.

    Args:
        values: outputs of a network, any real dtype, [n, dimension].
        dimension: the expected d.

    Returns:
        float32 [n, dimension]; [0, dimension] for no rows.

    Raises:
        ModelOutputError: another shape, or a row that is not finite or has no direction (all zero).
    """
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != dimension:
        raise ModelOutputError(f"expected embeddings of shape [n, {dimension}], got {list(rows.shape)}")
    if not np.isfinite(rows).all():
        raise ModelOutputError("expected finite embeddings, got NaN or infinity")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise ModelOutputError("expected embeddings with a direction, got a row of zeros")
    return np.ascontiguousarray(rows / lengths, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Features:
    """Features of n postings, any of which may be missing.

    Attributes:
        titles: n, decoded text, "" where there is none.
        hashes: n.
        embeddings: by retriever, float32 [n, d], unit rows, zeros where there is no image.
        images: uint64 [n], the first 64 bits of the SHA-256 of each image's bytes, 0 where they were not read.
        evidence: n, values of evidence fields; None where there is no such field.
    """

    titles: Sequence[str]
    hashes: Hashes
    embeddings: Mapping[str, Embeddings]
    images: NDArray[np.uint64]
    evidence: EvidenceValues | None = None

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
            hashes: n; where one is `ONE_COLOUR` the posting is as if it had no image.
            embeddings: by retriever, float32 [n, d], rows of zeros where there is no image.
            images: n digests, None where an image was not read.
        """
        digests = images or [None] * len(titles)
        found = cls(titles, parse_hashes(hashes), embeddings, image_keys(digests))
        plain = np.array([row for row, text in enumerate(hashes) if text == ONE_COLOUR], np.intp)
        return found.without_images(plain) if len(plain) else found

    def __len__(self) -> int:
        return len(self.titles)

    def select(self, rows: NDArray[np.integer]) -> "Features":
        """The features of some postings, in the order given."""
        embeddings = {name: vectors[rows] for name, vectors in self.embeddings.items()}
        titles = [self.titles[row] for row in rows]
        evidence = None if self.evidence is None else self.evidence.select(rows)
        return Features(titles, self.hashes.select(rows), embeddings, self.images[rows], evidence)

    @property
    def evidence_fields(self) -> tuple[Field, ...]:
        """Fields that values are known of."""
        return () if self.evidence is None else self.evidence.fields

    def evidence_of(self, fields: Sequence[Field]) -> EvidenceValues | None:
        """The values of some evidence fields, nothing where they are not known; None of no fields."""
        if not fields:
            return None
        return EvidenceValues.none(fields, len(self)) if self.evidence is None else self.evidence.of(fields)

    def without_evidence(self, rows: NDArray[np.integer]) -> "Features":
        """The same without values of evidence fields at some rows."""
        return self if self.evidence is None else replace(self, evidence=self.evidence.without(rows))

    def without_titles(self, rows: NDArray[np.integer]) -> "Features":
        """The same without titles at some rows."""
        missing = set(rows.tolist())
        return replace(self, titles=["" if row in missing else title for row, title in enumerate(self.titles)])

    def without_unseen(self) -> "Features":
        """The same without embeddings where there is no image key: an image of one colour has none."""
        seen = (self.images != 0)[:, np.newaxis]
        if seen.all():
            return self
        return replace(self, embeddings={name: vectors * seen for name, vectors in self.embeddings.items()})

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


def same_images(one: NDArray[np.uint64], other: NDArray[np.uint64] | int) -> NDArray[np.float32]:
    """Whether image keys [m] are those of others, [m] or one, float32 [m]; NaN where an image was not read."""
    return np.where((one == 0) | (other == 0), np.nan, one == other).astype(np.float32)


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
