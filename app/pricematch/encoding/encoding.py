"""Features of images: each image is decoded once in a worker process, together with images of other requests.

A network takes less time for an image among many than for one alone. A process that has nothing to do takes whatever
is queued at once; while all are busy, the next batch gathers.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, groupby, islice
from typing import Any, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import ImageFeatures, Seconds, Wanted
from pricematch.encoding.encoders import COLOURS, EncoderSpec
from pricematch.encoding.worker_process import WorkerProcess, error_of, worker_commands
from pricematch.errors import ImageCorrupt, ImageError, NotReady, Overloaded
from pricematch.settings import Settings

MAX_BATCH = 16
"""Images that are encoded together, at most: more make nothing cheaper, and others wait for longer."""
_MOST_FAILURES = 3
"""Failures in a row after which encoding counts as broken,"""
_REST_SECONDS = 10.0
"""for so long after the last one: then a request may try whether it works again."""
_STOPPING = "the service is stopping"


ImageResult: TypeAlias = ImageFeatures | ImageError
"""The features of an image, or why it is bad."""


class EncodingObserver(Protocol):
    """Gets figures of an `Encoding`, in its event loop; must not take long."""

    def observe_batch(self, size: int, seconds: Seconds) -> None:
        """So many images were encoded together; `queue` is the time of the one that waited longest."""
        ...

    def set_queue_depth(self, depth: int) -> None:
        """So many images of requests wait."""
        ...


@dataclass(eq=False)
class _Item:
    """One image that waits, or is being encoded."""

    image: bytes
    wanted: Wanted
    request: int
    result: "asyncio.Future[ImageResult]"
    queued: float = field(default_factory=time.perf_counter)


class Encoding:
    """Computes features in worker processes. Made in a running event loop, and used in it alone.

    Args:
        settings: limits of images and of what waits, and how long a process may take for a batch before it is ended.
        observer: called with batches, and with how many images wait.
        commands: start the processes; None: `workers` of the settings.
    """

    def __init__(
        self,
        settings: Settings,
        observer: EncodingObserver | None = None,
        commands: Iterable[Sequence[str]] | None = None,
    ) -> None:
        self._settings, self._observer = settings, observer
        self._known: dict[str, EncoderSpec] = {COLOURS.key: COLOURS}
        self._held = {COLOURS.key}
        self._requests: OrderedDict[_Item, None] = OrderedDict()
        self._background: OrderedDict[_Item, None] = OrderedDict()
        self._arrived = asyncio.Event()
        self._numbers = count()
        self._failures, self._failed_at = 0, 0.0
        self._closed = False
        commands = worker_commands(settings.workers) if commands is None else commands
        self._processes = [WorkerProcess(command, settings.request_seconds) for command in commands]
        self._tasks = [asyncio.create_task(self._work(process), name="encode") for process in self._processes]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def pids(self) -> Sequence[int]:
        """Of the processes that run, as the system numbers them."""
        return [pid for process in self._processes if (pid := process.pid) is not None]

    async def load(self, encoders: Iterable[EncoderSpec]) -> None:
        """Let every process load these encoders, besides those that it holds; returns once all have.

        Raises:
            ArtefactError: one does not load; those before stay loaded.
            ModelOutputError: a process ended meanwhile.
            NotReady: it was closed.
        """
        specs = {encoder.key: encoder for encoder in encoders}
        new = specs.keys() - self._held
        self._known |= specs
        self._held |= new  # now, so that no batch between makes a process forget what it has just loaded
        held = {key: self._known[key] for key in self._held}
        found = await asyncio.gather(*(process.load(held) for process in self._processes), return_exceptions=True)
        for error in found:
            if error is not None:
                self._held -= new
                raise error

    def retain(self, keys: Iterable[str]) -> None:
        """Let the processes forget all encoders but these; requests that still want another one have it loaded again.

        Args:
            keys: of encoders that were loaded.
        """
        self._held = {COLOURS.key, *keys} & self._known.keys()

    async def encode(self, images: Sequence[bytes], wanted: Wanted, *, background: bool = False) -> list[ImageResult]:
        """The features of images, in order; of a bad one why it is. Cancelled, it drops what is queued.

        Args:
            images: their bytes.
            wanted: which features.
            background: whether requests go before; such images may be any number.

        Raises:
            Overloaded: too many images wait already, or no memory is left.
            ModelOutputError: a network gave something that is no embedding, or its process ended or took too long.
            ArtefactError: a process that was started again cannot load an encoder any more.
            NotReady: it was closed.
            ValueError: an encoder was never loaded.
        """
        if self._closed:
            raise NotReady(_STOPPING)
        if unknown := wanted.encoders - self._known.keys():
            raise ValueError(f"expected keys of encoders that were loaded, got {sorted(unknown)}")
        queue = self._background if background else self._requests
        if not background and queue and len(queue) + len(images) > self._settings.max_waiting_images:
            raise Overloaded(f"{len(queue)} images wait to be encoded")
        request, loop = next(self._numbers), asyncio.get_running_loop()
        items = [_Item(image, wanted, request, loop.create_future()) for image in images]
        queue.update(dict.fromkeys(items))
        self._depth_changed()
        self._arrived.set()
        try:
            return list(await asyncio.gather(*(item.result for item in items)))
        finally:
            for item in items:
                queue.pop(item, None)
                item.result.cancel()
            self._depth_changed()

    def trouble(self) -> str | None:
        """Why nothing can be encoded now; None if something can."""
        if self._failures >= _MOST_FAILURES and time.monotonic() - self._failed_at < _REST_SECONDS:
            return f"the encoder has failed {self._failures} times in a row"
        return None

    async def aclose(self) -> None:
        """End the processes, whatever they are doing; waiting calls raise NotReady."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for item in (*self._requests, *self._background):
            _fail(item, NotReady(_STOPPING))
        await asyncio.gather(*self._tasks, *(it.aclose() for it in self._processes), return_exceptions=True)

    def _depth_changed(self) -> None:
        if self._observer is not None:
            self._observer.set_queue_depth(len(self._requests))

    async def _work(self, process: WorkerProcess) -> None:
        while True:
            batch = await self._next_batch()
            try:
                await self._answer(process, batch)
            except asyncio.CancelledError:
                for item in batch:
                    _fail(item, NotReady(_STOPPING))
                raise

    async def _next_batch(self) -> Sequence[_Item]:
        while not (batch := self._take(self._requests) or self._take(self._background)):
            self._arrived.clear()
            await self._arrived.wait()
        self._depth_changed()
        return batch

    @staticmethod
    def _take(queue: OrderedDict[_Item, None]) -> Sequence[_Item]:
        """The first images that want the same features, out of the queue."""
        if not queue:
            return []
        wanted = next(iter(queue)).wanted
        batch = list(islice((item for item in queue if item.wanted == wanted), MAX_BATCH))
        for item in batch:
            del queue[item]
        return batch

    async def _answer(self, process: WorkerProcess, batch: Sequence[_Item]) -> None:
        """Encode a batch; if that fails each request's images by themselves, so that only those fail that must."""
        batch = [item for item in batch if not item.result.done()]
        error = await self._encode(process, batch) if batch else None
        if error is None:
            return
        requests = [list(items) for _, items in groupby(batch, key=lambda item: item.request)]
        for items in requests:
            waiting = [item for item in items if not item.result.done()]
            failed = await self._encode(process, waiting) if waiting and len(requests) > 1 else error
            if failed is not None:
                for item in waiting:
                    _fail(item, failed)

    async def _encode(self, process: WorkerProcess, batch: Sequence[_Item]) -> Exception | None:
        """Why a batch could not be encoded; None where it was."""
        started = time.perf_counter()
        wanted = batch[0].wanted
        message = {
            "sizes": [len(item.image) for item in batch],
            "keys": sorted(wanted.encoders),
            "hashed": wanted.phash,
            "max_pixels": self._settings.max_pixels,
            "min_side": self._settings.min_image_side,
            "max_scans": self._settings.max_scans,
        }
        try:
            encoders = {key: self._known[key] for key in self._held | wanted.encoders}
            answer, body = await process.call(encoders, message, [item.image for item in batch])
            queued = [started - item.queued for item in batch]
            for item, result in zip(batch, _results(answer, body, queued), strict=True):
                if not item.result.done():
                    item.result.set_result(result)
        except Exception as error:  # noqa: BLE001 — whatever it is, the waiting calls raise it
            self._failures, self._failed_at = self._failures + 1, time.monotonic()
            return error
        self._failures = 0
        if self._observer is not None:
            self._observer.observe_batch(len(batch), Seconds(max(queued), **answer["seconds"]))
        return None


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
    """Implements `BlockingEncoding` over the encoding of an event loop, for other threads."""

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


def _results(answer: Mapping[str, Any], body: bytes, queued: Sequence[float]) -> Sequence[ImageResult]:
    """Features by image from the result of a worker; `queued` holds the seconds that each has waited."""
    good = sum("error" not in image for image in answer["images"])
    values, start = np.frombuffer(body, "<f4"), 0
    rows: dict[str, Iterator[NDArray[np.float32]]] = {}
    for key, dimension in answer["dimensions"].items():
        rows[key] = iter(values[start : start + good * dimension].reshape(good, dimension))
        start += good * dimension
    results: list[ImageResult] = []
    for image, waited in zip(answer["images"], queued, strict=True):
        if "error" in image:
            error = error_of(*image["error"])
            results.append(error if isinstance(error, ImageError) else ImageCorrupt(str(error)))
        else:
            embeddings = {key: next(those) for key, those in rows.items()}
            seconds = Seconds(waited, **answer["seconds"])
            results.append(ImageFeatures(bytes.fromhex(image["digest"]), image["phash"], embeddings, seconds))
    return results


def _fail(item: _Item, error: Exception) -> None:
    if not item.result.done():
        item.result.set_exception(error)
