"""From the bytes of a picture to its embedding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.errors import ImageError
from app.matching.embeddings import Embeddings
from app.matching.ports import Decoder, Encoder, Pixels
from app.matching.stages import stage


@dataclass(frozen=True)
class PictureEncoder:
    """An encoder and the decoder that feeds it. Immutable, safe to use from several threads.

    Attributes:
        key: names everything an embedding depends on beside its picture: weights, arithmetic, decoder.
        decoder, encoder: themselves.
        threshold: the similarity from which on two pictures are said to show the same product; None where none was
            measured with the encoder.
    """

    key: str
    decoder: Decoder
    encoder: Encoder
    threshold: float | None = None

    @property
    def dimension(self) -> int:
        """Length d of an embedding."""
        return self.encoder.dimension

    @property
    def versions(self) -> Mapping[str, str]:
        """Name and version of each model involved."""
        return self.encoder.versions

    def encode(self, image: bytes) -> Embeddings:
        """The embedding [1, d] of a picture; raises ImageError."""
        return self.encoder.encode(self._decoded(image)[np.newaxis])

    def embed(self, images: Sequence[bytes]) -> tuple[Embeddings, list[ImageError | None]]:
        """Embed pictures of which some may be bad.

        Returns:
            embeddings [m, d] of the m good ones in order, and per picture its error, None where it is good.
        """
        pixels: list[NDArray[np.uint8]] = []
        errors: list[ImageError | None] = []
        for image in images:
            try:
                pixels.append(self._decoded(image))
                errors.append(None)
            except ImageError as error:
                errors.append(error)
        if not pixels:
            return np.empty((0, self.dimension), np.float32), errors
        return self.encoder.encode(np.stack(pixels)), errors

    def _decoded(self, image: bytes) -> Pixels:
        with stage("decode"):
            return self.decoder.decode(image)
