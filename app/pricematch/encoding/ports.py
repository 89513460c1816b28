"""What encoding is asked for and by whom it is done: decoders, hashers, encoders, sources of images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.errors import ImageError

Pixels: TypeAlias = NDArray[np.uint8]
"""uint8 [height, width, 3], RGB; a batch is [n, height, width, 3]."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture says of itself before it is decoded.

    Attributes:
        media_type: `image/jpeg` and so on, by content.
        width, height: pixels of the upright picture.
    """

    media_type: str
    width: int
    height: int


@dataclass(frozen=True, eq=False, slots=True)
class Embedded:
    """What became of n pictures.

    Attributes:
        embeddings: [m, d], of the m good ones in order.
        errors: n, why a picture is bad; None where it is good.
        decode_seconds: how long they took to become pixels, all together.
    """

    embeddings: Embeddings
    errors: Sequence[ImageError | None]
    decode_seconds: float


class Decoder(Protocol):
    """Turns the bytes of a picture into pixels. Safe to call from several threads."""

    def decode(self, image: bytes) -> Pixels:
        """Pixels of the size the encoder takes; raises ImageError."""
        ...

    def media_type(self, image: bytes) -> str:
        """`image/jpeg` and so on, by content; raises ImageError."""
        ...


class Encoder(Protocol):
    """Embeds pixels. Safe to call from several threads."""

    @property
    def dimension(self) -> int:
        """Length d of an embedding."""
        ...

    @property
    def versions(self) -> Mapping[str, str]:
        """Name and version of each model involved, for the answer: {"cae": "1", "autoencoder": "1"}."""
        ...

    def encode(self, pixels: Pixels) -> Embeddings:
        """Embeddings [n, d] of a batch [n, height, width, 3]; raises ModelOutputError."""
        ...


class Embedder(Protocol):
    """Embeds pictures from their bytes. Safe to call from several threads."""

    @property
    def dimension(self) -> int:
        """Length d of an embedding."""
        ...

    @property
    def versions(self) -> Mapping[str, str]:
        """Name and version of each model involved; see `Encoder.versions`."""
        ...

    def embed(self, images: Sequence[bytes]) -> Embedded:
        """Embed pictures of which some may be bad; raises ModelOutputError."""
        ...


class ImageSource(Protocol):
    """Gives the bytes of the pictures a catalogue names. Safe to call from several threads."""

    def read(self, name: str) -> bytes:
        """The picture's bytes; raises ImageError."""
        ...


class EmbeddingStore(Protocol):
    """Keeps embeddings between starts, by the digest of the picture they came from."""

    def load(self) -> Mapping[bytes, NDArray[np.float32]]:
        """All that is kept; empty where nothing is, or what is there is damaged."""
        ...

    def save(self, digests: Sequence[bytes], embeddings: Embeddings) -> None:
        """Replace what is kept, whole or not at all."""
        ...
