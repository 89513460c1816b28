"""Encoding for threads, which wait for it: imports, starts, and whatever follows the store."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import wait
from threading import Lock
from typing import Protocol, TypeVar

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.encoding.encoders import EncoderSpec
from pricematch.encoding.encoding import Encoding
from pricematch.encoding.ports import Runtime
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


class EncodersInUse:
    """Which encoders each of several users of one encoding needs. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._keys: dict[object, frozenset[str]] = {}

    def of(self, user: object) -> frozenset[str]:
        """What one needs."""
        with self._lock:
            return self._keys.get(user, frozenset())

    def add(self, user: object, keys: Iterable[str]) -> None:
        """One needs these besides."""
        with self._lock:
            self._keys[user] = self._keys.get(user, frozenset()).union(keys)

    def retain(self, user: object, keys: Iterable[str]) -> frozenset[str]:
        """One needs these alone: what anybody needs now."""
        with self._lock:
            self._keys[user] = frozenset(keys)
            return frozenset().union(*self._keys.values())


class ForThreads:
    """Implements `BlockingEncoding` over the encoding of an event loop, for other threads.

    Args:
        encoding: encodes.
        loop: the event loop that it was made in.
        in_use: by it and others that encode there, each of whom forgets no encoder that another one needs.
    """

    def __init__(
        self, encoding: Encoding, loop: asyncio.AbstractEventLoop, in_use: EncodersInUse | None = None
    ) -> None:
        self._encoding, self._loop = encoding, loop
        self._in_use = in_use or EncodersInUse()

    @property
    def runtimes(self) -> Mapping[str, Runtime]:
        """What runs the networks that are needed here, by name and version; in the event loop alone."""
        return self._encoding.pool.runtimes_of(self._in_use.of(self))

    def load(self, specs: Sequence[EncoderSpec], progress: Progress = silent) -> None:
        """See the protocol."""
        self._in_use.add(self, [spec.key for spec in specs])  # before, so that nobody has it forgotten at once
        loading, began = asyncio.run_coroutine_threadsafe(self._encoding.pool.load(specs), self._loop), time.monotonic()
        while loading not in wait([loading], _TELLS_SECONDS).done:
            ready, total = self._encoding.pool.ready
            waited = time.monotonic() - began
            _log.info("waiting for %d of %d processes to load the models, %.0f s so far", total - ready, total, waited)
            progress("Loading models", ready, total)
        loading.result()

    def retain(self, keys: Iterable[str]) -> None:
        """See the protocol."""
        self._loop.call_soon_threadsafe(self._encoding.pool.retain, self._in_use.retain(self, keys))

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
