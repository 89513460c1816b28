"""Parts of a service that is ready: snapshots, stores and encoders, and threads for the work of requests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, ParamSpec, TypeVar

from pricematch.catalogue.features import ImageFeatures, Wanted
from pricematch.encoding.image_formats import TOP_BYTES, media_type
from pricematch.encoding.ports import Runtime
from pricematch.errors import DeadlineExceeded, ImageError, NotReady, Overloaded, StoreUnavailable
from pricematch.serving.intake import Intake
from pricematch.serving.snapshot import Snapshot
from pricematch.serving.training_jobs import Trainer
from pricematch.serving.uploads import Uploads
from pricematch.settings import Settings
from pricematch.stages import spent
from pricematch.store.ports import ChangeFeed, ProductStore
from pricematch.store.service_ports import AnswerStore, FieldStore, JobStore


@dataclass(frozen=True)
class Backend:
    """Snapshots, stores and encoders of a service that is ready. Safe to use from several threads.

    Attributes:
        encode: gives the images of requests their features, see `Encoding.encode`.
        intake: changes the catalogue, whose stores and snapshots it holds.
        products: a store.
        feed: of the changes of all that is kept.
        jobs: a store.
        fields: a store.
        answers: a store.
        open_image: opens the file of an image by its name, whole and at its beginning; raises ImageError.
        manifests: of the models that answer, as JSON has them.
        uploads: takes files of postings; None where nothing does.
        trainer: trains matchers; None where nothing does.
        activate: lets a version of a model serve, named as `cnn/2`; None where the models are fixed.
        trouble: why images cannot be encoded for the time being; None if they can.
        process_ids: of the worker processes that run.
        runtimes: what runs the networks, by name and version, such as `cnn/1`.
    """

    encode: Callable[[Sequence[bytes], Wanted], Awaitable[Sequence[ImageFeatures | ImageError]]]
    intake: Intake
    products: ProductStore
    feed: ChangeFeed
    jobs: JobStore
    fields: FieldStore
    answers: AnswerStore
    open_image: Callable[[str], BinaryIO]
    manifests: Callable[[], Sequence[Mapping[str, Any]]] = tuple
    uploads: Uploads | None = None
    trainer: Trainer | None = None
    activate: Callable[[str], str | None] | None = None
    trouble: Callable[[], str | None] = lambda: None
    process_ids: Callable[[], Sequence[int]] = tuple
    runtimes: Callable[[], Mapping[str, Runtime]] = dict

    @property
    def snapshot(self) -> Snapshot:
        """The newest one."""
        return self.intake.snapshots.current

    async def features(self, images: Sequence[bytes], wanted: Wanted) -> Sequence[ImageFeatures | ImageError]:
        """The features of a request's images; how long each stage took is counted. Raises as `encode`."""
        found = await self.encode(images, wanted)
        for image in found:
            if isinstance(image, ImageFeatures):
                spent("queue", image.seconds.queue)
                spent("decode", image.seconds.decode)
                spent("encode", image.seconds.encode)
                break
        return found

    def opened(self, name: str) -> tuple[BinaryIO, str]:
        """The file of an image, to be closed, and its media type; raises ImageError."""
        with ExitStack() as closed_if_bad:
            file = closed_if_bad.enter_context(self.open_image(name))
            kind = media_type(file.read(TOP_BYTES))
            file.seek(0)
            closed_if_bad.pop_all()
        return file, kind

    def activating(self) -> Callable[[str], str | None]:
        """`activate`; raises StoreUnavailable where the models are fixed."""
        if self.activate is None:
            raise StoreUnavailable("the models of this service are fixed")
        return self.activate

    def training(self) -> Trainer:
        """`trainer`; raises StoreUnavailable where there is none."""
        if self.trainer is None:
            raise StoreUnavailable("this service trains no matcher")
        return self.trainer

    def uploading(self) -> Uploads:
        """`uploads`; raises StoreUnavailable where there are none."""
        if self.uploads is None:
            raise StoreUnavailable("this service takes in one posting at a time")
        return self.uploads


T = TypeVar("T")
P = ParamSpec("P")
_STORE_THREADS = 8


class Readiness:
    """State of a service: it starts, is open, or stops."""

    def __init__(self) -> None:
        self._backend: Backend | None = None
        self._reason = "the service is starting"
        self._failed = self._stopping = False

    def report(self, reason: str) -> None:
        """Set the reason why the service is not ready yet; it is being started."""
        self._reason, self._failed = reason, False

    def open(self, backend: Backend) -> None:
        """Answer from now on."""
        self._backend, self._reason, self._failed = backend, "", False

    def fail(self, reason: str) -> None:
        """It could not be started; the reason names no folder, since whoever asks is told."""
        self._reason, self._failed = reason, True

    @property
    def failed(self) -> bool:
        """Whether it could not be started, and is not being started again."""
        return self._failed

    @property
    def starting(self) -> bool:
        """Whether it may be open soon."""
        return self._backend is None and not self._failed

    def drain(self) -> None:
        """Report not ready from now on, whatever happens; requests are still answered."""
        self._stopping = True

    @property
    def stopping(self) -> bool:
        """Whether the service is on its way out."""
        return self._stopping

    def why_not_ready(self) -> str | None:
        """None if the service is ready, not stopping and not in trouble."""
        if self._stopping:
            return "the service is stopping"
        return self._reason if self._backend is None else self._backend.trouble()

    @property
    def snapshot(self) -> Snapshot:
        """The newest version of the catalogue in memory; raises NotReady."""
        return self._ready.snapshot

    def check_ready(self) -> None:
        """Raise NotReady until the service is open."""
        _ = self._ready

    @property
    def _ready(self) -> Backend:
        if self._backend is None:
            raise NotReady(self._reason)
        return self._backend


class Workers:
    """Runs blocking work for the requests of one event loop.

    Cancelled work is dropped before a thread takes it.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._requests = 0
        self._matching = ThreadPoolExecutor(settings.workers, "match")
        self._storing = ThreadPoolExecutor(_STORE_THREADS, "store")
        self._alone = ThreadPoolExecutor(1, "alone")

    def check_room(self) -> None:
        """Raise Overloaded while as many requests are worked on, or wait for it, as may."""
        if self._requests >= self._settings.max_in_flight:
            raise Overloaded(f"{self._requests} requests are being answered; try again soon")

    @asynccontextmanager
    async def request(self) -> AsyncIterator[None]:
        """Work on a request in the block; raises Overloaded, DeadlineExceeded."""
        self.check_room()
        self._requests += 1
        seconds = self._settings.request_seconds
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise DeadlineExceeded(f"it took longer than {seconds:g} s") from error
        finally:
            self._requests -= 1

    async def match(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of work on one query; `workers` at a time."""
        return await _in(self._matching, partial(work, *args, **kwargs))

    async def store(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of short work on what is stored."""
        return await _in(self._storing, partial(work, *args, **kwargs))

    async def alone(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of work that may take seconds; one at a time, and matches are answered meanwhile."""
        return await _in(self._alone, partial(work, *args, **kwargs))

    def close(self) -> None:
        """Let no further work begin."""
        for pool in (self._matching, self._storing, self._alone):
            pool.shutdown(wait=False, cancel_futures=True)


async def _in(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, copy_context().run, work)
