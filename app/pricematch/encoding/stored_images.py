"""Features of stored images: computed once each, and kept."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from pricematch.catalogue.features import Embeddings
from pricematch.catalogue.image_features import ImageFeatures, Wanted
from pricematch.encoding.ingest import chunks, thread_pool
from pricematch.encoding.ports import ImageSource
from pricematch.errors import ImageError
from pricematch.progress import Progress
from pricematch.store.ports import ComputedStore

_AT_ONCE = 64
"""Images that are read and encoded together,"""
_IN_FLIGHT = 2
"""and pieces of so many at a time: while one is read, or ends, no worker process waits."""
Digests: TypeAlias = Sequence[bytes | None]
"""SHA-256 of the image of each of some postings; None where one has none."""
Encode: TypeAlias = Callable[[Sequence[bytes], Wanted], Sequence[ImageFeatures | ImageError]]
"""Gives images their features, and blocks until it has."""


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody is told."""


@dataclass(frozen=True)
class StoredImages:
    """Features of images by their digests. Safe to use from several threads.

    Attributes:
        images: gives their bytes, by the digest in hexadecimal digits.
        computed: keeps what is computed.
        encode: computes it.
        hash_key: names the perceptual hash and all that it depends on.
        on_error: called with the digest of a stored image that cannot be used, and why.
    """

    images: ImageSource
    computed: ComputedStore
    encode: Encode
    hash_key: str
    on_error: Callable[[bytes, ImageError], None]

    def ensure(self, digests: Digests, wanted: Wanted, progress: Progress = silent) -> None:
        """Compute and keep the wanted features that are not kept yet; each image is decoded once.

        Raises:
            StoreError: they cannot be kept.
            ModelOutputError: an encoder gave something that is no embedding.
        """
        lacking = self.lacking(list(dict.fromkeys(filter(None, digests))), wanted)
        pieces = [(piece, features) for features, of in lacking.items() for piece in chunks(of, _AT_ONCE)]
        done, total = 0, sum(map(len, lacking.values()))
        with thread_pool(_IN_FLIGHT) as pool:
            for (piece, _), (found, bad) in zip(pieces, pool.map(self._computed, pieces), strict=True):
                for digest, error in bad.items():
                    self.on_error(digest, error)
                self.keep(found)
                done += len(piece)
                progress("Encoding images", done, total)

    def embeddings(self, key: str, dimension: int, digests: Digests) -> Embeddings:
        """The embeddings that are kept of some postings' images.

        Returns:
            float32 [n, d]; zeros where there is no image, or one that cannot be used.
        """
        known = self.computed.embeddings(key, list(dict.fromkeys(filter(None, digests))))
        found = np.zeros((len(digests), dimension), np.float32)
        for row, digest in enumerate(digests):
            if digest is not None and digest in known:
                found[row] = known[digest]
        return found

    def hashes(self, digests: Digests) -> list[str | None]:
        """The perceptual hashes that are kept of some postings' images; None where there is none."""
        known = self.computed.hashes(self.hash_key, list(dict.fromkeys(filter(None, digests))))
        return [None if digest is None else known.get(digest) for digest in digests]

    def features(self, digests: Digests, wanted: Wanted) -> list[ImageFeatures | None]:
        """The features of some postings' images; None where there is none, or one that cannot be used."""
        self.ensure(digests, wanted)
        distinct = list(dict.fromkeys(filter(None, digests)))
        embeddings = {key: self.computed.embeddings(key, distinct) for key in wanted.encoders}
        hashes = self.computed.hashes(self.hash_key, distinct) if wanted.phash else {}
        known = {
            digest: ImageFeatures(
                digest, hashes.get(digest), {key: of[digest] for key, of in embeddings.items() if digest in of}
            )
            for digest in distinct
            if digest in hashes or any(digest in of for of in embeddings.values())
        }
        return [None if digest is None else known.get(digest) for digest in digests]

    def lacking(self, digests: Sequence[bytes], wanted: Wanted) -> Mapping[Wanted, Sequence[bytes]]:
        """Images by those of their wanted features that are not kept; an image that lacks none is left out."""
        embeddings = {key: self.computed.embeddings(key, digests) for key in wanted.encoders}
        hashes = self.computed.hashes(self.hash_key, digests) if wanted.phash else {}
        found: dict[Wanted, list[bytes]] = {}
        for digest in digests:
            keys = frozenset(key for key, of in embeddings.items() if digest not in of)
            lacks = Wanted(keys, phash=wanted.phash and digest not in hashes)
            if lacks != Wanted():
                found.setdefault(lacks, []).append(digest)
        return found

    def keep(self, features: Iterable[ImageFeatures]) -> None:
        """Keep features that were computed elsewhere; raises StoreError."""
        of_key: dict[str, list[ImageFeatures]] = {}
        hashed = list[ImageFeatures]()
        for image in features:
            for key in image.embeddings:
                of_key.setdefault(key, []).append(image)
            if image.phash is not None:
                hashed.append(image)
        for key, images in of_key.items():
            vectors = np.stack([image.embeddings[key] for image in images])
            self.computed.keep_embeddings(key, [image.digest for image in images], vectors)
        if hashed:
            digests = [image.digest for image in hashed]
            self.computed.keep_hashes(self.hash_key, digests, [str(image.phash) for image in hashed])

    def ensure_each(self, images: Sequence[bytes], wanted: Wanted) -> list[bytes | ImageError]:
        """Compute and keep the features of images that are not stored yet, before postings show them.

        Returns:
            Per image its digest, or why it cannot be used; of a bad one nothing is kept.

        Raises:
            StoreError, ModelOutputError: as `ensure`.
        """
        digests = [hashlib.sha256(image).digest() for image in images]
        bad: dict[bytes, ImageError] = {}
        contents = dict(zip(digests, images, strict=True))
        replace(self, images=_InMemory(contents), on_error=bad.__setitem__).ensure(digests, wanted)
        return [bad.get(digest, digest) for digest in digests]

    def _computed(
        self, piece: tuple[Sequence[bytes], Wanted]
    ) -> tuple[Sequence[ImageFeatures], Mapping[bytes, ImageError]]:
        """The wanted features of images that are read by their digests, and why others are bad."""
        digests, wanted = piece
        contents, bad = dict[bytes, bytes](), dict[bytes, ImageError]()
        for digest in digests:
            try:
                contents[digest] = self.images.read(digest.hex())
            except ImageError as error:
                bad[digest] = error
        good = list[ImageFeatures]()
        for digest, found in zip(contents, self.encode(list(contents.values()), wanted), strict=True):
            if isinstance(found, ImageError):
                bad[digest] = found
            else:
                good.append(found)
        return good, bad


@dataclass(frozen=True)
class _InMemory:
    """Implements `ports.ImageSource` over images by digest."""

    contents: Mapping[bytes, bytes]

    def read(self, name: str) -> bytes:
        return self.contents[bytes.fromhex(name)]


def digests_of(images: Iterable[str | None]) -> list[bytes | None]:
    """Digests from their hexadecimal digits."""
    return [None if image is None else bytes.fromhex(image) for image in images]
