"""Features of images: each image is decoded once in a worker process, together with images of other requests.

A network takes less time for an image among many than for one alone. A process that has nothing to do takes whatever
is queued at once; while all are busy, the next batch gathers. A process that is lost is started again at once, and what
it was at goes to another one.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Protocol, Self

from pricematch.catalogue.features import Seconds, Wanted
from pricematch.encoding.image_queue import Company, ImageQueue, ImageResult, WaitingImage
from pricematch.encoding.image_results import image_results
from pricematch.encoding.worker_launch import LaunchedWorker, worker_commands
from pricematch.encoding.worker_pool import WorkerPool
from pricematch.encoding.worker_process import Loss, WorkerLost, WorkerProcess
from pricematch.errors import (
    ImageCorrupt,
    ImageTooComplex,
    NotReady,
    Overloaded,
)
from pricematch.settings import Settings

_log = logging.getLogger("pricematch")
_MOST_FAILURES = 3
"""Failures in a row after which encoding counts as broken,"""
_REST_SECONDS = 10.0
"""for so long after the last one: then a request may try whether it works again."""
_PATIENCE_SECONDS = 10.0
"""So long images of requests wait on for a process, where there is none any more; others for `start_seconds`."""
_TRIES = 2
"""So many processes are lost with an image before it counts as the reason,"""
_TRIES_KILLED = 5
"""or so many in the background, where somebody else ended them."""
_STOPPING = "the service is stopping"


class EncodingObserver(Protocol):
    """Gets figures of an `Encoding`, in its event loop; must not take long."""

    def observe_batch(self, size: int, seconds: Seconds) -> None:
        """So many images were encoded together; `queue` is the time of the one that waited longest."""
        ...

    def set_queue_depth(self, depth: int) -> None:
        """So many images of requests wait."""
        ...


class Encoding:
    """Computes features in worker processes. Made in a running event loop, and used in it alone.

    Args:
        settings: limits of images and of what waits, and how long a process may take before it is ended.
        observer: called with batches, and with how many images wait.
        commands: start the processes; None: `workers` of the settings.
        launched: what the first of these commands have started already.

    Attributes:
        pool: the processes.
    """

    def __init__(
        self,
        settings: Settings,
        observer: EncodingObserver | None = None,
        commands: Iterable[Sequence[str]] | None = None,
        launched: Sequence[LaunchedWorker] = (),
    ) -> None:
        self._settings, self._observer = settings, observer
        self._queue, self._changed, self._numbers = ImageQueue(), asyncio.Event(), count()
        self._failures, self._failed_at = 0, 0.0
        self._begun: dict[WorkerProcess, float] = {}
        self._impatience: asyncio.TimerHandle | None = None
        self._able_at = time.monotonic()
        self._closed = False
        commands = worker_commands(settings.workers) if commands is None else commands
        self.pool = WorkerPool(settings, commands, self._process_changed, launched)
        self._tasks = [asyncio.create_task(self._work(process), name="encode") for process in self.pool.processes]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def encode(self, images: Sequence[bytes], wanted: Wanted, *, background: bool = False) -> list[ImageResult]:
        """The features of images, in order; of a bad one why it is. Cancelled, it drops what is queued.

        Args:
            images: their bytes.
            wanted: which features.
            background: whether requests go before; such images may be any number.

        Raises:
            Overloaded: too many images wait already, or no memory is left.
            ModelOutputError: a network failed, or gave something that is no embedding.
            ArtefactError: a process cannot load an encoder any more that is held no longer.
            NotReady: no process can encode at present, or it was closed.
            ValueError: an encoder was never loaded.
        """
        if self._closed:
            raise NotReady(_STOPPING)
        if unknown := wanted.encoders - self.pool.known.keys():
            raise ValueError(f"expected keys of encoders that were loaded, got {sorted(unknown)}")
        if not background and (reason := self._why_not_now()) is not None:
            raise NotReady(reason)
        depth = self._queue.depth
        if not background and depth and depth + len(images) > self._settings.max_waiting_images:
            raise Overloaded(f"{depth} images wait to be encoded")
        request, loop = next(self._numbers), asyncio.get_running_loop()
        items = [WaitingImage(image, wanted, request, background, loop.create_future()) for image in images]
        self._queue.add(items)
        self._depth_changed()
        self._changed.set()
        try:
            return list(await asyncio.gather(*(item.result for item in items)))
        finally:
            self._queue.discard(items)
            for item in items:
                item.result.cancel()
            self._depth_changed()

    def trouble(self) -> str | None:
        """Why nothing can be encoded now; None if something can."""
        if (reason := self._why_not_now()) is not None:
            return reason
        if self._failures >= _MOST_FAILURES and time.monotonic() - self._failed_at < _REST_SECONDS:
            return f"the encoder has failed {self._failures} times in a row"
        return None

    def _why_not_now(self) -> str | None:
        """Why images of a request would wait for longer than it may: no process can take any, or each hangs."""
        if (reason := self.pool.why_unable()) is not None:
            return reason
        now = time.monotonic()
        waits = min(now - self._begun.get(process, now) for process in self.pool.processes if process.able)
        if waits > self._settings.request_seconds:
            return f"no process that encodes has ended a batch for {waits:.0f} s"
        return None

    async def aclose(self) -> None:
        """End the processes, whatever they are doing; waiting calls raise NotReady."""
        self._closed = True
        if self._impatience is not None:
            self._impatience.cancel()
        for task in self._tasks:
            task.cancel()
        self._queue.fail_all(NotReady(_STOPPING))
        await asyncio.gather(*self._tasks, self.pool.aclose(), return_exceptions=True)

    def _depth_changed(self) -> None:
        if self._observer is not None:
            self._observer.set_queue_depth(self._queue.depth)

    def _process_changed(self) -> None:
        """Look again at what processes can do; requests that wait do not wait for long where none can do anything."""
        self._changed.set()
        if self.pool.why_unable() is None:
            self._able_at = time.monotonic()
            if self._impatience is not None:
                self._impatience.cancel()
                self._impatience = None
        elif self._impatience is None and not self._closed:
            self._impatience = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._impatience = None
        if (reason := self.pool.why_unable()) is not None:
            late = time.monotonic() - self._able_at > self._settings.start_seconds
            self._queue.fail_all(NotReady(reason), background=late)
            self._process_changed()

    async def _work(self, process: WorkerProcess) -> None:
        while True:
            batch: Sequence[WaitingImage] = ()
            try:
                if process.lost:
                    await self.pool.revive(process)
                elif process.able and (batch := self._queue.take()):
                    self._depth_changed()
                    await self._answer(process, batch)
                else:
                    self._changed.clear()
                    await self._changed.wait()
            except asyncio.CancelledError:
                for item in batch:
                    item.fail(NotReady(_STOPPING))
                raise

    async def _answer(self, process: WorkerProcess, batch: Sequence[WaitingImage]) -> None:
        """Encode a batch; if that fails, those that need not fail with it wait once more."""
        batch = [item for item in batch if not item.result.done()]
        if not batch:
            return
        self._begun[process] = time.monotonic()
        try:
            await self._encode(process, batch)
        except WorkerLost as lost:
            self._failed(str(lost))
            self._lost_with(batch, lost)
        except Exception as error:  # noqa: BLE001 — whatever it is, the waiting calls raise it
            self._failed()
            if len({item.request for item in batch}) == 1:
                for item in batch:
                    item.fail(error)
            else:
                for item in batch:
                    item.company = Company.ITS_REQUEST
                self._queue.add_first(batch)
        else:
            self._failures = 0
        finally:
            del self._begun[process]
            self._process_changed()

    def _failed(self, lost: str = "") -> None:
        self._failures, self._failed_at = self._failures + 1, time.monotonic()
        if lost:
            self.pool.lost_because = lost
            _log.warning("%s; another one takes its place", lost)

    def _lost_with(self, batch: Sequence[WaitingImage], lost: WorkerLost) -> None:
        """Let images of a lost process wait once more; the one that was the reason each time gets its error."""
        known = lost.place is not None and lost.why is not Loss.KILLED
        for item in [item for place, item in enumerate(batch) if place == lost.place or not known]:
            item.losses += 1
            item.company = Company.NONE
            if item.losses < _tries(item, lost.why):
                continue
            if lost.why is Loss.KILLED and not item.background:
                item.fail(NotReady(str(lost)))
            elif lost.why in {Loss.LATE, Loss.OVERDRAWN}:
                item.end(ImageTooComplex(str(lost)))
            else:
                item.end(ImageCorrupt(f"{lost}, {item.losses} times when it was given this image"))
        self._queue.add_first(batch)

    async def _encode(self, process: WorkerProcess, batch: Sequence[WaitingImage]) -> None:
        """Encode a batch; raises WorkerLost, and what the process raised."""
        started = time.perf_counter()
        wanted = batch[0].wanted
        message = {
            "sizes": [len(item.image) for item in batch],
            "keys": sorted(wanted.encoders),
            "hashed": wanted.phash,
            "stored": wanted.stored_form,
            "thumbnail_side": wanted.thumbnail_side,
            "limits": {
                "max_pixels": self._settings.max_pixels,
                "min_side": self._settings.min_image_side,
                "max_scans": self._settings.max_scans,
            },
            "image_seconds": self._settings.image_seconds,
        }
        encoders = {key: self.pool.known[key] for key in wanted.encoders}
        answer, body = await process.call(encoders, self.pool.held, message, [item.image for item in batch])
        queued = [started - item.queued for item in batch]
        for item, result in zip(batch, image_results(answer, body, batch, queued), strict=True):
            item.end(result)
        if self._observer is not None:
            self._observer.observe_batch(len(batch), Seconds(max(queued), **answer["seconds"]))


def _tries(item: WaitingImage, why: Loss) -> int:
    """How many processes may be lost with an image, and then it is not tried again."""
    if why is Loss.OVERDRAWN:
        return 1
    return _TRIES_KILLED if why is Loss.KILLED and item.background else _TRIES
