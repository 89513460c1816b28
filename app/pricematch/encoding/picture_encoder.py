"""From the bytes of a picture to its embedding."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.encoding.ports import Decoder, Embedded, Embedder, Encoder
from pricematch.errors import ImageError
from pricematch.stages import spent


@dataclass(frozen=True)
class DecodingEmbedder:
    """Implements `ports.Embedder`: a decoder and the encoder that it feeds, in the thread that asks.

    Attributes:
        decoder, encoder: themselves.
    """

    decoder: Decoder
    encoder: Encoder

    @property
    def dimension(self) -> int:
        """Length d of an embedding."""
        return self.encoder.dimension

    @property
    def versions(self) -> Mapping[str, str]:
        """Name and version of each model involved."""
        return self.encoder.versions

    def embed(self, images: Sequence[bytes]) -> Embedded:
        """See `ports.Embedder.embed`."""
        pixels: list[NDArray[np.uint8]] = []
        errors: list[ImageError | None] = []
        started = time.perf_counter()
        for image in images:
            try:
                pixels.append(self.decoder.decode(image))
                errors.append(None)
            except ImageError as error:
                errors.append(error)
        seconds = time.perf_counter() - started
        if not pixels:
            return Embedded(np.empty((0, self.dimension), np.float32), errors, seconds)
        return Embedded(self.encoder.encode(np.stack(pixels)), errors, seconds)


@dataclass(frozen=True)
class PictureEncoder:
    """What makes embeddings of pictures. Immutable, safe to use from several threads.

    Attributes:
        key: names everything an embedding depends on beside its picture: weights, arithmetic, decoder.
        embedder: embeds.
        threshold: the similarity from which on two pictures are said to show the same product; None where none was
            measured with the encoder.
    """

    key: str
    embedder: Embedder
    threshold: float | None = None

    @property
    def dimension(self) -> int:
        """Length d of an embedding."""
        return self.embedder.dimension

    @property
    def versions(self) -> Mapping[str, str]:
        """Name and version of each model involved."""
        return self.embedder.versions

    def encode(self, image: bytes) -> Embeddings:
        """The embedding [1, d] of a picture; raises ImageError."""
        embeddings, [error] = self.embed([image])
        if error is not None:
            raise error
        return embeddings

    def embed(self, images: Sequence[bytes]) -> tuple[Embeddings, Sequence[ImageError | None]]:
        """Embed pictures of which some may be bad.

        Returns:
            embeddings [m, d] of the m good ones in order, and per picture its error, None where it is good.
        """
        found = self.embedder.embed(images)
        spent("decode", found.decode_seconds)
        return found.embeddings, found.errors
