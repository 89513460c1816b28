"""A worker process without TensorFlow: `python -m tests.support.tiny_worker`.

Some images are its end, or make it hang; a network named `absent` does not load. Little is imported, so that it starts
quickly.
"""

import io
import os
import signal
import sys
import time
from collections.abc import Mapping

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
        return unit_rows(np.column_stack([pixels.mean(axis=(1, 2)), np.full(len(pixels), 64)]), DIMENSION)


def load(spec: NetworkSpec) -> MeanColour:
    """Every network but the one that is absent."""
    if spec.name == "absent":
        raise ArtefactError("there is no absent")
    return MeanColour()


if __name__ == "__main__":
    answer_all(load)
