"""A worker process that tests hold and count, in the event loop itself."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pricematch.encoding.encoders import EncoderSpec, NetworkSpec
from pricematch.errors import ModelOutputError

POISON = b"poison"
"""An image that no network can encode, alone or with others."""
BAD = b"bad"
"""An image that does not decode."""


class WorkerStub:
    """Stands for `worker_process.WorkerProcess`: embeds an image as its first byte.

    Attributes:
        gate: open at first; while it is closed nothing is answered.
        entered: released whenever a batch comes to the gate.
        batches: the images of each batch, in the order they came.
        wanted: keys of encoders that each batch wanted.
        held: keys of the encoders that were to be held at the last call.
    """

    def __init__(self) -> None:
        self.gate, self.entered = asyncio.Event(), asyncio.Semaphore(0)
        self.gate.set()
        self.batches: list[list[bytes]] = []
        self.wanted: list[list[str]] = []
        self.held: set[str] = set()
        self.fails: dict[str, Exception] = {}
        self.pid: int | None = 7

    async def load(self, encoders: Mapping[str, EncoderSpec]) -> None:
        self.held = set(encoders)
        for key in encoders.keys() & self.fails.keys():
            raise self.fails[key]

    async def ask(
        self, encoders: Mapping[str, EncoderSpec], message: Mapping[str, Any], images: Sequence[bytes]
    ) -> tuple[Mapping[str, Any], bytes]:
        self.held = set(encoders)
        self.batches.append(list(images))
        self.wanted.append(message["keys"])
        self.entered.release()
        await self.gate.wait()
        if POISON in images:
            raise ModelOutputError("poison")
        good = [image for image in images if image != BAD]
        rows = np.array([image[0] for image in good], "<f4")
        found = [_of(image, hashed=message["hashed"]) for image in images]
        answer = {
            "images": found,
            "dimensions": dict.fromkeys(message["keys"], 1),
            "seconds": {"decode": 0.25, "encode": 0.5},
        }
        return answer, rows.tobytes() * len(message["keys"])

    async def aclose(self) -> None:
        self.pid = None


def network(key: str) -> EncoderSpec:
    """An encoder that such a process loads."""
    from pathlib import Path

    spec = NetworkSpec(models=Path(), name=key, version="1", weights=(), precision="float32")
    return EncoderSpec(key, side=2, dimension=1, network=spec)


def _of(image: bytes, *, hashed: bool) -> Mapping[str, Any]:
    if image == BAD:
        return {"error": ["ImageCorrupt", "it does not decode"]}
    return {"digest": hashlib.sha256(image).hexdigest(), "phash": image.hex()[:16] if hashed else None}
