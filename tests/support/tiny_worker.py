"""A worker process without TensorFlow: `python -m tests.support.tiny_worker [FOLDER]`.

Some images are its end, or make it hang; a network named `absent` does not load. With a folder, no image is encoded
while there is a file `hold` in it, and `held` appears; `encoded` gets a line with the size of every batch. No network
loads while there is a file `hold-load`, and whoever loads one where there is `die-once` takes that away and ends.
Little is imported, so that it starts quickly.
"""

import io
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image

from pricematch.catalogue.features import Embeddings, unit_rows
from pricematch.encoding import worker
from pricematch.encoding.decoder import DecodedImage, PillowDecoder
from pricematch.encoding.encoders import NetworkSpec
from pricematch.encoding.ports import Pixels, Runtime
from pricematch.encoding.stored_form import stored_form
from pricematch.errors import ArtefactError

COMMAND = [sys.executable, "-m", __name__]
DIMENSION = 4


def plain(*colour: int) -> bytes:
    """An image of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(file, "PNG")
    return file.getvalue()


CRASH, LEAVE, HANG, FAIL, FAULT = (plain(red, 1, 2) for red in (101, 102, 103, 104, 105))
SPINS, UNDECODABLE = plain(106, 1, 2), plain(107, 1, 2)
"""Takes up a processor while it is decoded, or crashes the decoder."""


class OddDecoder(PillowDecoder):
    """Decodes, unless an image wants something else."""

    def decoded(self, image: bytes) -> DecodedImage:
        while image == SPINS:
            pass
        if image == UNDECODABLE:
            os.kill(os.getpid(), signal.SIGSEGV)
        return super().decoded(image)


def odd_form(image: bytes) -> bytes:
    """The stored form, unless an image wants to take up a processor."""
    while image.startswith(SPINS):
        pass
    return stored_form(image)


class MeanColour:
    """Implements `ports.Encoder`: the mean colour and a constant, unless an image wants something else."""

    dimension = DIMENSION
    versions: Mapping[str, str] = {}
    runtimes: Mapping[str, Runtime] = {}

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
                case 105:
                    os.kill(os.getpid(), signal.SIGSEGV)
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


def load_held(folder: Path) -> MeanColour:
    """A network that waits for files of a folder."""
    while (folder / "hold-load").exists():
        time.sleep(0.01)
    if (folder / "die-once").exists():
        (folder / "die-once").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return Held(folder)


if __name__ == "__main__":
    with patch.object(worker, "PillowDecoder", OddDecoder), patch.object(worker, "stored_form", odd_form):
        worker.answer_all(load if len(sys.argv) == 1 else lambda _: load_held(Path(sys.argv[1])))
