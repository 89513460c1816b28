"""Ports of encoding: decoders, encoders, sources of images, stores of embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings

Pixels: TypeAlias = NDArray[np.uint8]
"""uint8 [height, width, 3], RGB; a batch is [n, height, width, 3]."""


@dataclass(frozen=True, slots=True)
class Header:
    """An image's header.

    Attributes:
        media_type: `image/jpeg` and so on, by content.
        width, height: pixels of the upright image.
    """

    media_type: str
    width: int
    height: int


class Decoder(Protocol):
    """Turns the bytes of an image into pixels. Safe to call from several threads."""

    def decode(self, image: bytes) -> Pixels:
        """Pixels of the size the encoder takes; raises ImageError."""
        ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """What runs a network.

    Attributes:
        name: with its version, `OpenVINO 2026.4.1`.
        precision: `float32` or `bfloat16`.
        reason: why it is not the usual one; None where it is.
    """

    name: str
    precision: str
    reason: str | None = None


class Network(Protocol):
    """An exported network. Safe to call from several threads."""

    @property
    def runtime(self) -> Runtime:
        """What runs it."""
        ...

    def __call__(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Outputs [n, d] of inputs that fit its signature; raises ModelOutputError if it fails."""
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

    @property
    def runtimes(self) -> Mapping[str, Runtime]:
        """What runs each model involved, by name."""
        ...

    def encode(self, pixels: Pixels) -> Embeddings:
        """Embeddings [n, d] of a batch [n, height, width, 3]; raises ModelOutputError."""
        ...


class ImageSource(Protocol):
    """Gives the bytes of the images a catalogue names. Safe to call from several threads."""

    def read(self, name: str) -> bytes:
        """The image's bytes; raises ImageError."""
        ...


class EmbeddingStore(Protocol):
    """Keeps embeddings between starts, by the digest of the image they came from."""

    def load(self) -> Mapping[bytes, NDArray[np.float32]]:
        """All that is kept; empty where nothing is, or what is there is damaged."""
        ...

    def save(self, digests: Sequence[bytes], embeddings: Embeddings) -> None:
        """Replace what is kept, whole or not at all."""
        ...
