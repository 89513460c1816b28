"""Features of stored images: computed once each, and kept."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, ImageFeatures, Wanted
from pricematch.encoding.ingest import ImagesByDigest, chunks, digest_images, thread_pool
from pricematch.encoding.ports import Decoder, EmbeddingStore, Encoder, ImageSource, Pixels
from pricematch.encoding.versions import HASHING
from pricematch.errors import ImageError
from pricematch.progress import Progress, silent
from pricematch.store.ports import ComputedStore

_AT_ONCE = 64
"""Images that are read and encoded together."""
Digests: TypeAlias = Sequence[bytes | None]
"""SHA-256 of the image of each of some postings; None where one has none."""
Encode: TypeAlias = Callable[[Sequence[bytes], Wanted], Sequence[ImageFeatures | ImageError]]
"""Gives images their features, and blocks until it has."""


@dataclass(frozen=True)
class StoredImages:
    """Features of images by their digests. Safe to use from several threads.

    Attributes:
        images: gives their bytes, by the digest in hexadecimal digits.
        computed: keeps what is computed.
        encode: computes it.
        on_error: called with the digest of a stored image that cannot be used, and why.
        in_flight: pieces of 64 images that are read and encoded at a time: while one is read, or ends, others are
            encoded.
    """

    images: ImageSource
    computed: ComputedStore
    encode: Encode
    on_error: Callable[[bytes, ImageError], None]
    in_flight: int = 2

    def ensure(self, digests: Digests, wanted: Wanted, progress: Progress = silent) -> None:
        """Compute and keep the wanted features that are not kept yet; each image is decoded once.

        Raises:
            StoreError: they cannot be kept.
            ModelOutputError: an encoder gave something that is no embedding.
        """
        lacking = self.lacking(list(dict.fromkeys(filter(None, digests))), wanted)
        pieces = [(piece, features) for features, of in lacking.items() for piece in chunks(of, _AT_ONCE)]
        done, total = 0, sum(map(len, lacking.values()))
        with thread_pool(self.in_flight) as pool:
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
        known = self.computed.hashes(HASHING, list(dict.fromkeys(filter(None, digests))))
        return [None if digest is None else known.get(digest) for digest in digests]

    def features(self, digests: Digests, wanted: Wanted) -> list[ImageFeatures | None]:
        """The features of some postings' images; None where there is none, or one that cannot be used."""
        self.ensure(digests, wanted)
        distinct = list(dict.fromkeys(filter(None, digests)))
        embeddings = {key: self.computed.embeddings(key, distinct) for key in wanted.encoders}
        hashes = self.computed.hashes(HASHING, distinct) if wanted.phash else {}
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
        hashes = self.computed.hashes(HASHING, digests) if wanted.phash else {}
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
            self.computed.keep_hashes(HASHING, digests, [str(image.phash) for image in hashed])

    def ensure_each(self, images: Sequence[bytes], wanted: Wanted) -> list[ImageFeatures | ImageError]:
        """Compute and keep the features of images that are not stored yet, before postings show them.

        Returns:
            Per image its stored form and the digest of that, or why it cannot be used; of a bad one nothing is kept.

        Raises:
            StoreError, ModelOutputError: as `ensure`.
        """
        found = self.encode(images, Wanted(stored_form=True))
        contents = {it.digest: it.stored_form for it in found if isinstance(it, ImageFeatures)}
        bad: dict[bytes, ImageError] = {}
        replace(self, images=_InMemory(contents), on_error=bad.__setitem__).ensure(list(contents), wanted)
        return [bad.get(it.digest, it) if isinstance(it, ImageFeatures) else it for it in found]

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
class StoredForms:
    """Implements `ports.ImageSource` over another one, whose images it gives in the form in which they are stored.

    Attributes:
        images: the other one.
        encode: gives the form of each.
    """

    images: ImageSource
    encode: Encode

    def read(self, name: str) -> bytes:
        """The image's bytes; raises ImageError, and as `encode`."""
        [found] = self.encode([self.images.read(name)], Wanted(stored_form=True))
        if isinstance(found, ImageError):
            raise found
        return found.stored_form


@dataclass(frozen=True)
class _InMemory:
    """Implements `ports.ImageSource` over images by digest."""

    contents: Mapping[bytes, bytes]

    def read(self, name: str) -> bytes:
        return self.contents[bytes.fromhex(name)]


def digests_of(images: Iterable[str | None]) -> list[bytes | None]:
    """Digests from their hexadecimal digits."""
    return [None if image is None else bytes.fromhex(image) for image in images]


@dataclass(frozen=True)
class ImageEncoder:
    """Computes embeddings in the calling thread. Immutable, safe to use from several threads.

    Attributes:
        key: see `EncoderSpec`.
        decoder: gives pixels of the size that the encoder takes.
        encoder: computes embeddings.
        threshold: see `EncoderSpec`.
    """

    key: str
    decoder: Decoder
    encoder: Encoder
    threshold: float | None = None

    def features(self, images: Sequence[bytes], _: Wanted) -> list[ImageFeatures | ImageError]:
        """The embedding of each image, or why it is bad; raises ModelOutputError."""
        pixels, errors = list[Pixels](), list[ImageError | None]()
        for image in images:
            try:
                pixels.append(self.decoder.decode(image))
                errors.append(None)
            except ImageError as error:
                errors.append(error)
        rows = iter(self.encoder.encode(np.stack(pixels)) if pixels else ())
        return [
            error or ImageFeatures(hashlib.sha256(image).digest(), None, {self.key: next(rows)})
            for image, error in zip(images, errors, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class EmbeddedImages:
    """Embeddings of the images that a catalogue file names.

    Attributes:
        embeddings: [m, d], one row a distinct content.
        rows: which row of `embeddings` belongs to an image name; names whose image is bad are absent.
        errors: why an image is bad, by name.
        encoded: how many contents were encoded now; the others were kept.
    """

    embeddings: Embeddings
    rows: Mapping[str, int]
    errors: Mapping[str, ImageError]
    encoded: int


def embed_images(
    names: Iterable[str],
    images: ImageSource,
    encoder: ImageEncoder,
    store: EmbeddingStore,
    *,
    workers: int,
    progress: Progress,
) -> EmbeddedImages:
    """Embed the images of these names, which may repeat, in `workers` threads.

    New embeddings are put into `store` once all are there, and those no image has any more are dropped.

    Raises:
        ModelOutputError: the encoder gave something that is no embedding.
    """
    digests, errors = digest_images(list(dict.fromkeys(names)), images, workers=workers, progress=progress)
    contents = {digest: name for name, digest in digests.items()}
    kept, bad = store.load(), dict[bytes, ImageError]()
    known = _Vectors({digest: kept[digest] for digest in contents if digest in kept})
    before, source = len(known.vectors), ImagesByDigest(images, contents)
    stored = StoredImages(source, known, encoder.features, bad.__setitem__, workers)
    stored.ensure(list(contents), Wanted(frozenset({encoder.key})), progress)
    found = list(known.vectors)
    embeddings = stored.embeddings(encoder.key, encoder.encoder.dimension, found)
    if len(found) > before or len(found) < len(kept):
        store.save(found, embeddings)
    errors |= {name: bad[digest] for name, digest in digests.items() if digest in bad}
    row_of = {digest: row for row, digest in enumerate(found)}
    rows = {name: row_of[digest] for name, digest in digests.items() if digest in row_of}
    return EmbeddedImages(embeddings, rows, errors, len(found) - before)


class _Vectors:
    """Implements `ComputedStore` over embeddings by one encoder in memory, without hashes."""

    def __init__(self, vectors: dict[bytes, NDArray[np.float32]]) -> None:
        self.vectors = vectors

    def embeddings(self, key: str, digests: Sequence[bytes]) -> Mapping[bytes, NDArray[np.float32]]:  # noqa: ARG002
        return {digest: self.vectors[digest] for digest in digests if digest in self.vectors}

    def keep_embeddings(self, key: str, digests: Sequence[bytes], embeddings: Embeddings) -> None:  # noqa: ARG002
        self.vectors.update(zip(digests, embeddings, strict=True))

    def hashes(self, key: str, digests: Sequence[bytes]) -> Mapping[bytes, str]:  # noqa: ARG002
        return {}

    def keep_hashes(self, key: str, digests: Sequence[bytes], hashes: Sequence[str]) -> None:
        """Nothing."""
