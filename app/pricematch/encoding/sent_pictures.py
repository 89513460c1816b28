"""Pictures that are sent, read as those of a catalogue are: hash, digest and embeddings."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pricematch.catalogue.embeddings import Embeddings
from pricematch.catalogue.features import Features
from pricematch.encoding.ports import Hasher
from pricematch.errors import ImageError
from pricematch.matching.embedded_catalogue import EmbeddedCatalogue


@dataclass(frozen=True, eq=False)
class SentPictures:
    """The m good ones among n pictures.

    Attributes:
        hashes: m, 16 hexadecimal digits each.
        digests: m, SHA-256.
        embeddings: float32 [m, d] by each encoder, by the `id` of what it embedded.
        errors: n, why a picture is bad; None where it is good.
    """

    hashes: Sequence[str]
    digests: Sequence[bytes]
    embeddings: Mapping[int, Embeddings]
    errors: Sequence[ImageError | None]

    def carried(
        self, titles: Sequence[str], encoders: Mapping[str, EmbeddedCatalogue], dimensions: Mapping[str, int]
    ) -> Features:
        """What postings carry that have these titles and pictures, or where no picture was sent these titles only.

        Args:
            titles: one a posting, "" where there is none.
            encoders: what is embedded for each space; a space for which nothing was has zeros.
            dimensions: length of an embedding by space.
        """
        known = {name: self.embeddings[id(one)] for name, one in encoders.items() if id(one) in self.embeddings}
        every = {
            name: known.get(name, np.zeros((len(titles), dimension), np.float32))
            for name, dimension in dimensions.items()
        }
        nothing = [None] * len(titles)
        return Features.of(titles, self.hashes or nothing, every, self.digests or nothing)


def read_pictures(images: Sequence[bytes], hasher: Hasher, encoders: Iterable[EmbeddedCatalogue]) -> SentPictures:
    """Hash pictures and embed them, all in one call of each encoder.

    Args:
        images: their bytes.
        hasher: gives each its hash.
        encoders: what embeds them; one that is given twice does so once.
    """
    hashes, errors = _hashed(images, hasher)
    embeddings = {}
    for key, embedded in {id(one): one for one in encoders}.items():
        found, failed = embedded.encoder.embed(images)
        embeddings[key] = np.zeros((len(images), found.shape[1]), np.float32)
        embeddings[key][[error is None for error in failed]] = found
        errors = [one or other for one, other in zip(errors, failed, strict=True)]
    good = [place for place, error in enumerate(errors) if error is None]
    return SentPictures(
        [hashes[place] for place in good],
        [hashlib.sha256(images[place]).digest() for place in good],
        {key: vectors[good] for key, vectors in embeddings.items()},
        errors,
    )


def _hashed(images: Sequence[bytes], hasher: Hasher) -> tuple[list[str], list[ImageError | None]]:
    """The hash of each picture, "" where it is bad, and why it is."""
    hashes: list[str] = []
    errors: list[ImageError | None] = []
    for image in images:
        try:
            hashes.append(hasher.hash(image))
            errors.append(None)
        except ImageError as error:
            hashes.append("")
            errors.append(error)
    return hashes, errors
