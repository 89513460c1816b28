"""Encoding without TensorFlow and worker processes: in the test's process, or by a stub of a process."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.catalogue.hashes import ONE_COLOUR
from pricematch.encoding.encoders import EncoderSpec, NetworkSpec
from pricematch.encoding.features import phash
from pricematch.encoding.ports import Decoder, Encoder, Pixels, Runtime
from pricematch.encoding.stored_form import stored_form
from pricematch.errors import ImageError, ModelOutputError
from pricematch.progress import Progress, silent
from tests.support.fakes import MeanColourEncoder, encoded, tiny_decoder


class TinyEncoding:
    """Implements `backend.Encode`, and `running.BlockingEncoding` by its methods: one encoder, whatever its key.

    Args:
        encoder: what embeds, mean colours if it is not given.
        decoder: gives it pixels.

    Attributes:
        encoder: what embeds.
        loaded: keys of the encoders that were loaded, in order.
        fails: by version of an encoder, why it does not load.
        encoded: how many images each key has encoded.
        retained: keys of the encoders that were not to be forgotten.
        thumbnails: how many were made.
        blank: images that are of one colour; others of one colour count as if they showed something.
    """

    def __init__(self, encoder: Encoder | None = None, decoder: Decoder | None = None) -> None:
        self.encoder = encoder or MeanColourEncoder()
        self.decoder = decoder or tiny_decoder()
        self.loaded: list[str] = []
        self.fails: dict[str, Exception] = {}
        self.encoded: dict[str, int] = {}
        self.retained: set[str] = set()
        self.blank: set[bytes] = set()
        self.thumbnails = 0

    async def __call__(self, images: Sequence[bytes], wanted: Wanted) -> list[ImageFeatures | ImageError]:
        return await asyncio.to_thread(self.encode, images, wanted)

    def load(self, specs: Sequence[EncoderSpec], progress: Progress = silent) -> None:
        for spec in specs:
            for version in spec.versions.values():
                if version in self.fails:
                    raise self.fails[version]
            self.loaded.append(spec.key)

    def retain(self, keys: Iterable[str]) -> None:
        self.retained = set(keys)

    def encode(self, images: Sequence[bytes], wanted: Wanted) -> list[ImageFeatures | ImageError]:
        if wanted.stored_form:
            return [self._of_stored_form(image, replace(wanted, stored_form=False)) for image in images]
        decoded = [self._decoded(image) for image in images]
        good = [pixels for pixels in decoded if not isinstance(pixels, ImageError)]
        rows = iter(self.encoder.encode(np.stack(good)) if good and wanted.encoders else [None] * len(good))
        for key in wanted.encoders:
            self.encoded[key] = self.encoded.get(key, 0) + len(good)
        found: list[ImageFeatures | ImageError] = []
        for image, pixels in zip(images, decoded, strict=True):
            if isinstance(pixels, ImageError):
                found.append(pixels)
                continue
            row = next(rows)
            hashed = phash(tiny_decoder().decoded(image)) if wanted.phash else None
            hashed = ONE_COLOUR if image in self.blank else hashed
            embeddings: dict[str, NDArray[np.float32]] = {} if row is None else dict.fromkeys(wanted.encoders, row)
            thumbnail = self._thumbnail(image, wanted.thumbnail_side) if wanted.thumbnail_side else b""
            digest = hashlib.sha256(image).digest()
            found.append(ImageFeatures(digest, hashed, embeddings, thumbnail=thumbnail))
        return found

    def _thumbnail(self, image: bytes, side: int) -> bytes:
        self.thumbnails += 1
        return encoded(Image.fromarray(tiny_decoder().decoded(image).fitted(side)), "JPEG")

    def _of_stored_form(self, image: bytes, wanted: Wanted) -> ImageFeatures | ImageError:
        try:
            form = stored_form(image)
        except ImageError as error:
            return error
        if wanted == Wanted():
            return ImageFeatures(hashlib.sha256(form).digest(), None, {}, stored_form=form)
        [found] = self.encode([form], wanted)
        return found if isinstance(found, ImageError) else replace(found, stored_form=form)

    def _decoded(self, image: bytes) -> Pixels | ImageError:
        try:
            return self.decoder.decode(image)
        except ImageError as error:
            return error


def image_features(image: bytes, *keys: str) -> ImageFeatures:
    """The features of an image: its hash, and its mean colour under each of some keys."""
    [found] = TinyEncoding().encode([image], Wanted(frozenset(keys or ("mean-colour",)), phash=True))
    assert isinstance(found, ImageFeatures)
    return found


POISON = b"poison"
"""An image that no network can encode, alone or with others."""
BAD = b"bad"
"""An image that does not decode."""


class WorkerStub:
    """Stands for `worker_process.WorkerProcess`: embeds an image as its first byte.

    Attributes:
        gate: open at first; while it is closed nothing is answered.
        entered: released whenever a batch comes to the gate.
        load_gate: open at first; while it is closed nothing is loaded, and `loading` is set.
        batches: the images of each batch, in the order they came.
        wanted: keys of encoders that each batch wanted.
        held: keys of the encoders that were to be held at the last call.
    """

    def __init__(self) -> None:
        self.gate, self.entered = asyncio.Event(), asyncio.Semaphore(0)
        self.gate.set()
        self.load_gate, self.loading = asyncio.Event(), asyncio.Event()
        self.load_gate.set()
        self.batches: list[list[bytes]] = []
        self.wanted: list[list[str]] = []
        self.held: set[str] = set()
        self.fails: dict[str, Exception] = {}
        self.runtimes: dict[str, Mapping[str, Runtime]] = {}
        self.pid: int | None = 7
        self.able, self.lost = True, False

    async def load(self, encoders: Mapping[str, EncoderSpec]) -> None:
        self.able = False
        self.loading.set()
        await self.load_gate.wait()
        self.able, self.held = True, set(encoders)
        for key in encoders.keys() & self.fails.keys():
            raise self.fails[key]

    async def call(
        self,
        encoders: Mapping[str, EncoderSpec],
        kept: frozenset[str],
        message: Mapping[str, Any],
        images: Sequence[bytes],
    ) -> tuple[Mapping[str, Any], bytes]:
        self.held = (self.held & kept) | set(encoders)
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
    digits = image.hex()[:16] if hashed else None
    return {"digest": hashlib.sha256(image).hexdigest(), "phash": digits, "stored": None, "thumbnail": 0}
