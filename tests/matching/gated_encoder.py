"""Encoders that tests hold, and count."""

import threading
from collections.abc import Callable

import numpy as np

from app.errors import ModelOutputError
from app.matching.embeddings import Embeddings
from app.matching.ports import Pixels
from tests.fakes import MeanColourEncoder

SAFETY_SECONDS = 30
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


def grey(*values: int) -> Pixels:
    """Pictures of one grey each, [n, 2, 2, 3]."""
    return np.repeat(np.array(values, np.uint8), 12).reshape(-1, 2, 2, 3)


def eventually(happens: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = threading.Event()
    for _ in range(SAFETY_SECONDS * 100):
        if happens():
            return
        end.wait(0.01)
    raise AssertionError("it never happened")
