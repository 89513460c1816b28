"""A worker process without TensorFlow: `python -m tests.support.tiny_worker [FOLDER]`.

Some images are its end, or make it hang; a network named `absent` does not load. With a folder, no image is encoded
while there is a file `hold` in it, and `held` appears; `encoded` gets a line with the size of every batch. Little is
imported, so that it starts quickly.
"""

import io
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from pricematch.catalogue.features import Embeddings, unit_rows
from pricematch.encoding.encoders import NetworkSpec
from pricematch.encoding.ports import Pixels
from pricematch.encoding.worker import answer_all
from pricematch.errors import ArtefactError

COMMAND = [sys.executable, "-m", __name__]
DIMENSION = 4


def plain(*colour: int) -> bytes:
    """An image of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(file, "PNG")
    return file.getvalue()


CRASH, LEAVE, HANG, FAIL = (plain(red, 1, 2) for red in (101, 102, 103, 104))


class MeanColour:
    """Implements `ports.Encoder`: the mean colour and a constant, unless an image wants something else."""

    dimension = DIMENSION
    versions: Mapping[str, str] = {}

    def encode(self, pixels: Pixels) -> Embeddings:
        for red in pixels[pixels[:, 0, 0, 1] == 1, 0, 0, 0]:
            match int(red):
                case 101:
                    os.kill(os.getpid(), signal.SIGKILL)
                case 102:
                    os._exit(3)
                case 103:
                    time.sleep(600)
                case 104:
                    raise RuntimeError("no such luck")
        return unit_rows(np.column_stack([pixels.mean(axis=(1, 2)), np.full(len(pixels), 255 / 4)]), DIMENSION)


class Held(MeanColour):
    """Waits while there is a file `hold`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def encode(self, pixels: Pixels) -> Embeddings:
        while (self._folder / "hold").exists():
            (self._folder / "held").touch()
            time.sleep(0.01)
        with (self._folder / "encoded").open("a") as file:
            file.write(f"{len(pixels)}\n")
        return super().encode(pixels)


def load(spec: NetworkSpec) -> MeanColour:
    """Every network but the one that is absent."""
    if spec.name == "absent":
        raise ArtefactError("there is no absent")
    return MeanColour()


if __name__ == "__main__":
    answer_all(load if len(sys.argv) == 1 else lambda _: Held(Path(sys.argv[1])))
