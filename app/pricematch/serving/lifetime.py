"""Starts a service beside an event loop, and stops it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from pricematch.catalogue.image_features import ImageFeatures, Wanted
from pricematch.encoding.decoder import PillowDecoder
from pricematch.encoding.encoders import EncoderSpec
from pricematch.encoding.encoding import Encoding, EncodingObserver, ImageLimits
from pricematch.encoding.worker_process import worker_commands
from pricematch.errors import ImageError, NotReady
from pricematch.progress import Progress
from pricematch.serving.backend import Backend
from pricematch.serving.running import Running, start
from pricematch.serving.service import Service
from pricematch.settings import Settings

_ANY_SIDE = 32


@asynccontextmanager
async def started(
    service: Service, progress: Progress, observer: EncodingObserver | None = None, *, serve: bool = True
) -> AsyncIterator["asyncio.Task[None]"]:
    """Start a service, which goes on until the end of the block.

    Args:
        service: is opened once it can answer.
        progress: told what is being done.
        observer: told of the batches that are encoded.
        serve: whether no other process may serve the store meanwhile.

    Yields:
        The task that ends when the service is open, or with the PricematchError that says why it cannot be.
    """
    settings = service.settings

    def report(what: str, done: int, total: int) -> None:
        if service.stopping:
            raise NotReady("stopped while starting")
        service.report(f"the service is starting: {what.lower()}, {done} of {total}")
        progress(what, done, total)

    encoding = encoding_of(settings, observer)
    threads = ForThreads(encoding, asyncio.get_running_loop())
    starting = asyncio.create_task(asyncio.to_thread(start, settings, threads, report, serve=serve))

    async def open_service() -> None:
        running = await asyncio.shield(starting)
        service.open(_backend(running, encoding))

    opening = asyncio.create_task(open_service())
    try:
        yield opening
    finally:
        service.drain()
        await encoding.aclose()  # whoever waits for it hears so, and ends
        opening.cancel()
        await asyncio.wait({starting})
        if starting.exception() is None:  # else whoever awaits `opening` hears of it
            await asyncio.to_thread(starting.result().close)
        service.close()


def encoding_of(settings: Settings, observer: EncodingObserver | None = None) -> Encoding:
    """Worker processes as settings have them, for the running event loop."""
    return Encoding(
        worker_commands(settings.workers),
        ImageLimits(settings.max_pixels, settings.min_image_side),
        request_seconds=settings.request_seconds,
        max_waiting_images=settings.max_waiting_images,
        observer=observer,
    )


def _backend(running: Running, encoding: Encoding) -> Backend:
    settings = running.settings
    return Backend(
        encode=encoding.encode,
        media_type=PillowDecoder(_ANY_SIDE, settings.max_pixels, settings.min_image_side).media_type,
        intake=running.intake,
        postings=running.store.postings,
        verdicts=running.store.feedback,
        jobs=running.store.jobs,
        models=running.store.models,
        manifests=running.manifests,
        uploads=running.uploads,
        activate=running.activate,
        trouble=encoding.trouble,
        process_ids=lambda: encoding.pids,
    )


class ForThreads:
    """Implements `running.BlockingEncoding` over the encoding of an event loop, for threads beside it."""

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
