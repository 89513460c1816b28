"""A process that encodes without TensorFlow: `python -m tests.support.tiny_encoder_process SOCKET`.

Some pictures are its end, or make it hang; an encoder named `absent` does not load.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from weakref import WeakSet

import numpy as np
from pricematch.encoding.embedding_worker import answer_all

from pricematch.catalogue.embeddings import Embeddings
from pricematch.encoding.ports import Embedded, Pixels
from pricematch.encoding.wire import EncoderSpec
from pricematch.errors import ArtefactError
from tests.support.fakes import MeanColourEncoder
from tests.support.gated_encoder import pictured

CRASH, LEAVE, HANG, FAIL = b"crash", b"leave", b"hang", b"fail"
SAFETY_SECONDS = 30


class Encoder(MeanColourEncoder):
    """The mean colour; in its fourth value how many encoders the process holds."""

    def encode(self, pixels: Pixels) -> Embeddings:
        found = super().encode(pixels)
        found[:, 3] = len(HELD)
        return found


class Embedder:
    """Does what some pictures want."""

    def __init__(self) -> None:
        self._inner = pictured(Encoder())
        self.dimension, self.versions = self._inner.dimension, self._inner.versions

    def embed(self, images: Sequence[bytes]) -> Embedded:
        if CRASH in images:
            os.kill(os.getpid(), signal.SIGKILL)
        if LEAVE in images:
            os._exit(3)
        if HANG in images:
            time.sleep(SAFETY_SECONDS)
        if FAIL in images:
            raise MemoryError("no room")
        return self._inner.embed(images)


HELD: WeakSet[Embedder] = WeakSet()


def load(spec: EncoderSpec) -> Embedder:
    """One that counts as held as long as it is."""
    if spec.name == "absent":
        raise ArtefactError("there is no absent")
    embedder = Embedder()
    HELD.add(embedder)
    return embedder


def start(there: socket.socket) -> "subprocess.Popen[bytes]":
    """Start one, as `EncoderProcesses` wants it."""
    descriptor = there.fileno()
    return subprocess.Popen([sys.executable, "-m", __name__, str(descriptor)], pass_fds=[descriptor])


def alone(*greys: int) -> Embeddings:
    """What it gives of pictures of one grey each, holding one encoder."""
    found = MeanColourEncoder().encode(np.repeat(np.array(greys, np.uint8), 12).reshape(-1, 2, 2, 3))
    found[:, 3] = 1
    return found


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as _connection:
        answer_all(_connection, load)
