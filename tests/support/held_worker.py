"""A worker process that encodes mean colours: `python -m tests.support.held_worker FOLDER`.

While there is a file `hold` in the folder no image is encoded, and `held` appears; `encoded` gets a line with the size
of every batch.
"""

import sys
import time
from pathlib import Path

from pricematch.catalogue.features import Embeddings
from pricematch.encoding.encoders import EncoderSpec, NetworkSpec
from pricematch.encoding.ports import Pixels
from pricematch.encoding.worker import answer_all
from tests.support.fakes import MEAN_COLOUR, SIDE, MeanColourEncoder

SPEC = EncoderSpec(
    MEAN_COLOUR.key,
    SIDE,
    MEAN_COLOUR.dimension,
    MEAN_COLOUR.versions,
    network=NetworkSpec(models=Path(), name="mean-colour", version="1", weights=(), precision="float32"),
)
"""What such a process loads."""


class HeldEncoder(MeanColourEncoder):
    """Waits while there is a file `hold`."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def encode(self, pixels: Pixels) -> Embeddings:
        while (self._folder / "hold").exists():
            (self._folder / "held").touch()
            time.sleep(0.01)
        with (self._folder / "encoded").open("a") as file:
            file.write(f"{len(pixels)}\n")
        return super().encode(pixels)


if __name__ == "__main__":
    answer_all(lambda _: HeldEncoder(Path(sys.argv[1])))
