"""Features of single images, and which of them are wanted."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
        phash: perceptual hash, 16 hexadecimal digits; None where it was not wanted.
        embeddings: by encoder key, float32 [d] of unit length.
        seconds: how long it took.
    """

    digest: bytes
    phash: str | None
    embeddings: Mapping[str, NDArray[np.float32]]
    seconds: Seconds = Seconds()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which features of images are wanted.

    Attributes:
        encoders: keys of the encoders whose embeddings are wanted; they are loaded.
        phash: whether the perceptual hash is.
    """

    encoders: frozenset[str] = frozenset()
    phash: bool = False


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
