"""An encoder that tests hold, and count."""

import threading

from pricematch.catalogue.features import Embeddings
from pricematch.encoding.ports import Pixels
from pricematch.errors import ModelOutputError
from tests.support.fakes import MeanColourEncoder
from tests.support.waiting import SAFETY_SECONDS

POISON = 13
"""The value of all pixels of an image that cannot be encoded."""


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
