"""Encoding for threads, which wait for it: imports, starts, and whatever follows the store."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import wait
from typing import Protocol, TypeVar

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.encoding.encoders import EncoderSpec
from pricematch.encoding.encoding import Encoding
from pricematch.encoding.stored_images import Encode
from pricematch.errors import ImageError
from pricematch.progress import Progress, silent
from pricematch.settings import Settings

_T = TypeVar("_T")
_log = logging.getLogger("pricematch")
_TELLS_SECONDS = 5.0


class BlockingEncoding(Protocol):
    """Encodes for threads, behind the requests."""

    def load(self, specs: Sequence[EncoderSpec], progress: Progress = silent) -> None:
        """Hold these encoders; raises ArtefactError, RuntimeMissing, ModelOutputError.

        Args:
            specs: which.
            progress: called every few seconds with how many processes hold them.
        """
        ...

    def retain(self, keys: Iterable[str]) -> None:
        """Forget all encoders but these."""
        ...

    def encode(self, images: Sequence[bytes], wanted: Wanted) -> Sequence[ImageFeatures | ImageError]:
        """See `Encoding.encode`."""
        ...


class ForThreads:
    """Implements `BlockingEncoding` over the encoding of an event loop, for other threads."""

    def __init__(self, encoding: Encoding, loop: asyncio.AbstractEventLoop) -> None:
        self._encoding, self._loop = encoding, loop

    def load(self, specs: Sequence[EncoderSpec], progress: Progress = silent) -> None:
        """See the protocol."""
        loading, began = asyncio.run_coroutine_threadsafe(self._encoding.pool.load(specs), self._loop), time.monotonic()
        while loading not in wait([loading], _TELLS_SECONDS).done:
            ready, total = self._encoding.pool.ready
            waited = time.monotonic() - began
            _log.info("waiting for %d of %d processes to load the models, %.0f s so far", total - ready, total, waited)
            progress("Loading models", ready, total)
        loading.result()

    def retain(self, keys: Iterable[str]) -> None:
        """See the protocol."""
        self._loop.call_soon_threadsafe(self._encoding.pool.retain, list(keys))

    def encode(self, images: Sequence[bytes], wanted: Wanted) -> Sequence[ImageFeatures | ImageError]:
        """See the protocol."""
        encoding = self._encoding.encode(images, wanted, background=True)
        return asyncio.run_coroutine_threadsafe(encoding, self._loop).result()


def encoding_for(work: Callable[[Encode], _T], settings: Settings) -> _T:
    """The result of work that gets worker processes to encode with, which run as long as it does."""

    async def worked() -> _T:
        async with Encoding(settings) as encoding:
            return await asyncio.to_thread(work, ForThreads(encoding, asyncio.get_running_loop()).encode)

    return asyncio.run(worked())
