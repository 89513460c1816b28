"""Features of single images, and of postings as arrays, row by row: titles, hashes, embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pricematch.catalogue.evidence import EvidenceValues
from pricematch.catalogue.fields import Field
from pricematch.catalogue.hashes import ONE_COLOUR, Hashes
from pricematch.catalogue.image_arrays import ImageArrays
from pricematch.catalogue.layers import Layer, Layered
from pricematch.errors import ModelOutputError

Embeddings: TypeAlias = NDArray[np.float32]
"""float32 [n, d], each row of Euclidean length 1, contiguous."""
NO_EMBEDDINGS: Mapping[str, Embeddings] = MappingProxyType({})


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
        hashes: n, of their first images, as are
        embeddings: by retriever, float32 [n, d], unit rows, zeros where there is no image.
        images: uint64 [n], the first 64 bits of the SHA-256 of each image's bytes, 0 where they were not read.
        evidence: n, values of evidence fields; None where there is no such field.
        more: of their second images, third and so on, with embeddings for the same retrievers; none where no posting
            has several.
    """

    titles: Sequence[str]
    hashes: Hashes
    embeddings: Mapping[str, Embeddings]
    images: NDArray[np.uint64]
    evidence: EvidenceValues | None = None
    more: tuple[Layer[ImageArrays], ...] = ()

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
        return cls.shown(titles, Layered(ImageArrays.of(hashes, embeddings, images or [None] * len(titles))))

    @classmethod
    def shown(
        cls, titles: Sequence[str], images: Layered[ImageArrays], evidence: EvidenceValues | None = None
    ) -> "Features":
        """Features of n titles and images."""
        first = images.first
        return cls(titles, first.hashes, first.embeddings, first.images, evidence, images.more)

    def __len__(self) -> int:
        return len(self.titles)

    @property
    def every(self) -> Layered[ImageArrays]:
        """Features of all images."""
        return Layered(ImageArrays(self.hashes, self.embeddings, self.images), self.more)

    @property
    def image_keys(self) -> Layered[NDArray[np.uint64]]:
        """The image keys of all images, as `images`."""
        return self.every.made(lambda it: it.images)

    def with_embeddings(self, embeddings: Mapping[str, Layered[Embeddings]]) -> "Features":
        """The same with other embeddings by retriever, of all images in the same layers."""
        vectors = {name: [*of.layers] for name, of in embeddings.items()}
        layers = [
            Layer(layer.rows, replace(layer.values, embeddings={name: of[at].values for name, of in vectors.items()}))
            for at, layer in enumerate(self.every.layers)
        ]
        return self.shown(self.titles, Layered(layers[0].values, tuple(layers[1:])), self.evidence)

    @property
    def shows_images(self) -> bool:
        """Whether there is a hash or an embedding of any image."""
        return any(layer.values.shown for layer in self.every.layers)

    def select(self, rows: NDArray[np.integer]) -> "Features":
        """The features of some postings, in the order given."""
        titles = [self.titles[row] for row in rows]
        return self.shown(
            titles, self.every.select(rows), None if self.evidence is None else self.evidence.select(rows)
        )

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
        return self.shown(self.titles, self.every.made(ImageArrays.without_unseen), self.evidence)

    def without_images(self, rows: NDArray[np.integer]) -> "Features":
        """The same without hashes, embeddings and image keys at some rows, whichever image they are of."""
        first, more = self.every.first.without(rows), [_without(layer, layer.places(rows)[1]) for layer in self.more]
        return self.shown(self.titles, Layered(first, tuple(more)), self.evidence)

    def without_marked(self, marked: Layered[NDArray[np.bool_]]) -> "Features":
        """The same without those of marked images; a posting keeps those of its others.

        Args:
            marked: of these postings, in each layer of the images that it has here.
        """
        first = self.every.first.without(marked.first) if marked.first.any() else self.every.first
        more = [_without(layer, which.values) for layer, which in zip(self.more, marked.more, strict=True)]
        return self.shown(self.titles, Layered(first, tuple(more)), self.evidence)


def _without(layer: Layer[ImageArrays], places: NDArray[np.integer] | NDArray[np.bool_]) -> Layer[ImageArrays]:
    return layer.made(lambda images: images.without(places))
