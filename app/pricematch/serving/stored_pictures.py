"""What stored pictures are compared by, embeddings and hashes: computed once each, and kept."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.embeddings import Embeddings
from pricematch.encoding.ingest import encode_contents, thread_pool
from pricematch.encoding.picture_encoder import PictureEncoder
from pricematch.encoding.ports import Hasher, ImageSource
from pricematch.errors import ImageError
from pricematch.progress import Progress
from pricematch.store.ports import ComputedStore

_KEPT_AT_ONCE = 256
Digests = Sequence[bytes | None]
"""SHA-256 of the picture of each of some postings; None where one has none."""


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody is told."""


@dataclass(frozen=True)
class StoredPictures:
    """Pictures by their digests. Safe to use from several threads.

    Attributes:
        images: gives their bytes, by the digest in hexadecimal digits.
        kept: keeps what is computed.
        hasher: gives each its hash.
        hash_key: names the hash and all that it depends on.
        workers: threads that decode.
        told: called with the digest of a stored picture that cannot be used, and why.
    """

    images: ImageSource
    kept: ComputedStore
    hasher: Hasher
    hash_key: str
    workers: int
    told: Callable[[bytes, ImageError], None]

    def embeddings(self, encoder: PictureEncoder, digests: Digests, progress: Progress = silent) -> Embeddings:
        """The embeddings of some postings' pictures.

        Returns:
            float32 [n, d]; zeros where there is no picture, or one that cannot be used.
        """
        distinct = list(dict.fromkeys(filter(None, digests)))
        known = dict(self.kept.embeddings(encoder.key, distinct))
        new = [digest for digest in distinct if digest not in known]
        known.update(self._encoded(encoder, new, progress))
        found = np.zeros((len(digests), encoder.dimension), np.float32)
        for line, digest in enumerate(digests):
            if digest is not None and digest in known:
                found[line] = known[digest]
        return found

    def hashes(self, digests: Digests, progress: Progress = silent) -> list[str | None]:
        """The perceptual hashes of some postings' pictures; None where there is none."""
        distinct = list(dict.fromkeys(filter(None, digests)))
        known = dict(self.kept.hashes(self.hash_key, distinct))
        new = [digest for digest in distinct if digest not in known]
        known.update(self._hashed(new, progress))
        return [None if digest is None else known.get(digest) for digest in digests]

    def keep(self, image: bytes, encoders: Iterable[PictureEncoder]) -> bytes:
        """Compute and keep what a picture is compared by, before a posting shows it.

        Returns:
            Its digest.

        Raises:
            ImageError: it cannot be used; nothing is kept.
        """
        digest = hashlib.sha256(image).digest()
        lacking = [encoder for encoder in encoders if digest not in self.kept.embeddings(encoder.key, [digest])]
        hashed = digest in self.kept.hashes(self.hash_key, [digest])
        said = "" if hashed else self.hasher.hash(image)
        found = [(encoder, encoder.encode(image)) for encoder in lacking]
        for encoder, embedding in found:
            self.kept.keep_embeddings(encoder.key, [digest], embedding)
        if not hashed:
            self.kept.keep_hashes(self.hash_key, [digest], [said])
        return digest

    def keep_each(self, images: Sequence[bytes], encoders: Iterable[PictureEncoder]) -> list[bytes | ImageError]:
        """The same for several pictures, which are encoded together, some of them perhaps bad.

        Returns:
            Per picture its digest, or why it cannot be used. Of a bad one something may be kept, until it is forgotten.

        Raises:
            ModelOutputError: an encoder gave something that is no embedding.
        """
        digests = [hashlib.sha256(image).digest() for image in images]
        bad: dict[bytes, ImageError] = {}
        given = replace(self, images=_Given(dict(zip(digests, images, strict=True))), told=bad.__setitem__)
        given.hashes(digests)
        for encoder in encoders:
            given.embeddings(encoder, [digest for digest in digests if digest not in bad])
        return [bad.get(digest, digest) for digest in digests]

    def _encoded(
        self, encoder: PictureEncoder, digests: Sequence[bytes], progress: Progress
    ) -> Mapping[bytes, NDArray[np.float32]]:
        errors: dict[str, ImageError] = {}
        found: dict[bytes, NDArray[np.float32]] = {}
        waiting: list[tuple[bytes, NDArray[np.float32]]] = []
        names = {digest: digest.hex() for digest in digests}
        with thread_pool(self.workers) as pool:
            for pair in encode_contents(names, self.images, encoder, pool, errors, progress):
                found.update([pair])
                waiting.append(pair)
                if len(waiting) == _KEPT_AT_ONCE:
                    self._keep(encoder, waiting)
                    waiting = []
        self._keep(encoder, waiting)
        self._tell(errors)
        return found

    def _keep(self, encoder: PictureEncoder, pairs: Sequence[tuple[bytes, NDArray[np.float32]]]) -> None:
        if pairs:
            digests, vectors = zip(*pairs, strict=True)
            self.kept.keep_embeddings(encoder.key, digests, np.stack(vectors))

    def _hashed(self, digests: Sequence[bytes], progress: Progress) -> Mapping[bytes, str]:
        errors: dict[str, ImageError] = {}

        def hashed(digest: bytes) -> str | None:
            try:
                return self.hasher.hash(self.images.read(digest.hex()))
            except ImageError as error:
                errors[digest.hex()] = error
                return None

        found: dict[bytes, str] = {}
        with thread_pool(self.workers) as pool:
            for done, (digest, said) in enumerate(zip(digests, pool.map(hashed, digests), strict=True), start=1):
                if said is not None:
                    found[digest] = said
                progress("Hashing pictures", done, len(digests))
        if found:
            self.kept.keep_hashes(self.hash_key, list(found), list(found.values()))
        self._tell(errors)
        return found

    def _tell(self, errors: Mapping[str, ImageError]) -> None:
        for name, error in errors.items():
            self.told(bytes.fromhex(name), error)


@dataclass(frozen=True)
class _Given:
    """Implements `ports.ImageSource` over pictures in memory, by digest."""

    contents: Mapping[bytes, bytes]

    def read(self, name: str) -> bytes:
        return self.contents[bytes.fromhex(name)]


def digests_of(images: Iterable[str | None]) -> list[bytes | None]:
    """Digests from their hexadecimal digits."""
    return [None if image is None else bytes.fromhex(image) for image in images]
