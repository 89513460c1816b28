"""Worker processes for threads that wait for them, beside the event loop that feeds the processes."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from pricematch.catalogue.image_features import ImageFeatures, Wanted
from pricematch.encoding.encoders import EncoderSpec
from pricematch.encoding.encoding import Encoding, EncodingObserver, ImageLimits
from pricematch.encoding.worker_process import worker_commands
from pricematch.errors import ImageError
from pricematch.settings import Settings


class BlockingEncoding(Protocol):
    """Encodes for threads, behind the requests."""

    def load(self, specs: Sequence[EncoderSpec]) -> None:
        """Hold these encoders; raises ArtefactError, ModelOutputError."""
        ...

    def retain(self, keys: Iterable[str]) -> None:
        """Forget all encoders but these."""
        ...

    def encode(self, images: Sequence[bytes], wanted: Wanted) -> Sequence[ImageFeatures | ImageError]:
        """See `Encoding.encode`."""
        ...


class ForThreads:
    """Implements `BlockingEncoding` over the encoding of an event loop, for threads beside it."""

    def __init__(self, encoding: Encoding, loop: asyncio.AbstractEventLoop) -> None:
        self._encoding, self._loop = encoding, loop

    def load(self, specs: Sequence[EncoderSpec]) -> None:
        """See the protocol."""
        asyncio.run_coroutine_threadsafe(self._encoding.load(specs), self._loop).result()

    def retain(self, keys: Iterable[str]) -> None:
        """See the protocol."""
        self._loop.call_soon_threadsafe(self._encoding.retain, list(keys))

    def encode(self, images: Sequence[bytes], wanted: Wanted) -> Sequence[ImageFeatures | ImageError]:
        """See the protocol."""
        encoding = self._encoding.encode(images, wanted, background=True)
        return asyncio.run_coroutine_threadsafe(encoding, self._loop).result()


def encoding_of(settings: Settings, observer: EncodingObserver | None = None) -> Encoding:
    """Worker processes as settings have them, for the running event loop."""
    return Encoding(
        worker_commands(settings.workers),
        ImageLimits(settings.max_pixels, settings.min_image_side),
        request_seconds=settings.request_seconds,
        max_waiting_images=settings.max_waiting_images,
        observer=observer,
    )
