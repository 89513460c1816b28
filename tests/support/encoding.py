"""Encodes in the test's process: no TensorFlow, no worker processes."""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.image_features import ImageFeatures, Wanted
from pricematch.encoding.encoders import EncoderSpec
from pricematch.encoding.features import phash
from pricematch.encoding.ports import Decoder, Encoder, Pixels
from pricematch.errors import ImageError
from tests.support.fakes import MeanColourEncoder, tiny_decoder


class TinyEncoding:
    """Implements `backend.Encode`, and `running.BlockingEncoding` by its methods: one encoder, whatever its key.

    Args:
        encoder: what embeds, mean colours if it is not given.
        decoder: gives it pixels.

    Attributes:
        encoder: what embeds.
        loaded: keys of the encoders that were loaded, in order.
        fails: by version of an encoder, why it does not load.
        encoded: how many images each key has encoded.
        retained: keys of the encoders that were not to be forgotten.
    """

    def __init__(self, encoder: Encoder | None = None, decoder: Decoder | None = None) -> None:
        self.encoder = encoder or MeanColourEncoder()
        self.decoder = decoder or tiny_decoder()
        self.loaded: list[str] = []
        self.fails: dict[str, Exception] = {}
        self.encoded: dict[str, int] = {}
        self.retained: set[str] = set()

    async def __call__(self, images: Sequence[bytes], wanted: Wanted) -> list[ImageFeatures | ImageError]:
        return await asyncio.to_thread(self.encode, images, wanted)

    def load(self, specs: Sequence[EncoderSpec]) -> None:
        for spec in specs:
            for version in spec.versions.values():
                if version in self.fails:
                    raise self.fails[version]
            self.loaded.append(spec.key)

    def retain(self, keys: Iterable[str]) -> None:
        self.retained = set(keys)

    def encode(self, images: Sequence[bytes], wanted: Wanted) -> list[ImageFeatures | ImageError]:
        decoded = [self._decoded(image) for image in images]
        good = [pixels for pixels in decoded if not isinstance(pixels, ImageError)]
        rows = iter(self.encoder.encode(np.stack(good)) if good and wanted.encoders else [None] * len(good))
        for key in wanted.encoders:
            self.encoded[key] = self.encoded.get(key, 0) + len(good)
        found: list[ImageFeatures | ImageError] = []
        for image, pixels in zip(images, decoded, strict=True):
            if isinstance(pixels, ImageError):
                found.append(pixels)
                continue
            row = next(rows)
            hashed = phash(tiny_decoder().decoded(image)) if wanted.phash else None
            embeddings: dict[str, NDArray[np.float32]] = {} if row is None else dict.fromkeys(wanted.encoders, row)
            found.append(ImageFeatures(hashlib.sha256(image).digest(), hashed, embeddings))
        return found

    def _decoded(self, image: bytes) -> Pixels | ImageError:
        try:
            return self.decoder.decode(image)
        except ImageError as error:
            return error


def image_features(image: bytes, *keys: str) -> ImageFeatures:
    """The features of an image: its hash, and its mean colour under each of some keys."""
    [found] = TinyEncoding().encode([image], Wanted(frozenset(keys or ("mean-colour",)), phash=True))
    assert isinstance(found, ImageFeatures)
    return found
