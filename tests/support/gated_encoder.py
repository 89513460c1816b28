"""Encoders that tests hold, and count, and pictures for them."""

import threading
from math import isqrt

import numpy as np

from pricematch.catalogue.embeddings import Embeddings
from pricematch.encoding.picture_encoder import DecodingEmbedder
from pricematch.encoding.ports import Encoder, Pixels
from pricematch.errors import ImageCorrupt, ModelOutputError
from tests.support.fakes import MeanColourEncoder
from tests.support.waiting import SAFETY_SECONDS

POISON = 13
"""The value of all pixels of a picture that cannot be encoded."""


class GatedEncoder(MeanColourEncoder):
    """Encodes when its gate is open; fails for poison, alone or in company.

    Attributes:
        gate: open at first.
        entered: released whenever somebody comes to the gate.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def encode(self, pixels: Pixels) -> Embeddings:
        self.entered.release()
        assert self.gate.wait(SAFETY_SECONDS), "the gate was not opened"
        if (pixels == POISON).all(axis=(1, 2, 3)).any():
            self.batches.append(len(pixels))
            raise ModelOutputError("poison")
        return super().encode(pixels)

    def enter(self) -> None:
        """Wait until somebody has come to the gate."""
        assert self.entered.acquire(timeout=SAFETY_SECONDS), "nobody came"


class RawDecoder:
    """Takes bytes for the pixels of a square; none for a picture that is damaged."""

    def decode(self, image: bytes) -> Pixels:
        if not image:
            raise ImageCorrupt("it has no pixels")
        side = isqrt(len(image) // 3)
        return np.frombuffer(image, np.uint8).reshape(side, side, 3)

    def media_type(self, image: bytes) -> str:
        raise NotImplementedError


def pictured(encoder: Encoder) -> DecodingEmbedder:
    """What embeds pictures such as `grey` gives."""
    return DecodingEmbedder(RawDecoder(), encoder)


def grey(*values: int) -> list[bytes]:
    """Pictures of one grey each, 2 × 2 pixels."""
    return [bytes([value] * 12) for value in values]
