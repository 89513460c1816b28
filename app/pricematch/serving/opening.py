"""Opens services: each is started in a thread, answers until the end, and is closed then."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from pricematch.encoding.blocking import EncodersInUse, ForThreads
from pricematch.encoding.encoding import Encoding
from pricematch.errors import NotReady
from pricematch.progress import Progress
from pricematch.serving import startup
from pricematch.serving.backend import Backend
from pricematch.serving.models import activate
from pricematch.serving.served_catalogue import ServedCatalogue
from pricematch.serving.service import Service
from pricematch.serving.webhooks import Render, Webhooks
from pricematch.settings import DEFAULT_NAMESPACE

_log = logging.getLogger("pricematch")


class Opening:
    """A service that is opened; for one event loop, and not to be used again.

    Args:
        service: is opened once it can answer.
        encoding: encodes for it,
        in_use: and these are the encoders there.
        progress: called with what is being done.
        serve: whether no other process may serve the store meanwhile.
        settle: see `startup.start`.
        render: writes the messages of webhooks; None: none is told.

    Attributes:
        task: ends when the service is open, or with the PricematchError that says why it cannot be.
    """

    def __init__(
        self,
        service: Service,
        encoding: Encoding,
        in_use: EncodersInUse,
        progress: Progress,
        *,
        serve: bool = True,
        settle: bool = False,
        render: Render | None = None,
    ) -> None:
        self._service, self._encoding, self._progress, self._render = service, encoding, progress, render
        self._threads = ForThreads(encoding, asyncio.get_running_loop(), in_use)
        self._webhooks: Webhooks | None = None
        turns = service.shared.turns
        start = partial(startup.start, service.settings, self._threads, self._report, serve=serve, settle=settle)
        self._starting = asyncio.create_task(asyncio.to_thread(start, turns=turns))
        self.task = asyncio.create_task(self._open())

    async def aclose(self) -> None:
        """Close what was opened; the encoding is closed already, so that whatever waits for it ends."""
        self.task.cancel()
        if self._webhooks is not None:
            await self._webhooks.aclose()
        await asyncio.wait({self._starting})
        if self._starting.exception() is None:  # else `task` raises it
            await asyncio.to_thread(self._starting.result().close)
        self._service.close()

    def _report(self, what: str, done: int, total: int) -> None:
        if self._service.stopping:
            raise NotReady("stopped while starting")
        name = self._service.namespace
        which = "the service" if name == DEFAULT_NAMESPACE else f"the namespace {name}"
        self._service.report(f"{which} is starting: {what.lower()}, {done} of {total}")
        self._progress(what, done, total)

    async def _open(self) -> None:
        try:
            running = await asyncio.shield(self._starting)
        except Exception:
            self._threads.retain(())  # what others do not need is forgotten
            raise
        self._service.open(self._backend(running))
        if self._render is not None and self._service.webhooks:
            self._webhooks = Webhooks(self._service, running.store.webhooks, self._render)
            self._webhooks.begin()

    def _backend(self, running: ServedCatalogue) -> Backend:
        encoding = self._encoding
        return Backend(
            encode=encoding.encode,
            intake=running.intake,
            products=running.store.products,
            feed=running.store.feed,
            jobs=running.store.jobs,
            fields=running.store.fields,
            answers=running.store.answers,
            open_image=running.store.images.open,
            manifests=running.manifests,
            uploads=running.uploads,
            trainer=running.trainer,
            activate=partial(activate, running.settings),
            trouble=encoding.trouble,
            process_ids=lambda: encoding.pool.pids,
            runtimes=lambda: self._threads.runtimes,
        )


@asynccontextmanager
async def opened(
    service: Service, progress: Progress, *, serve: bool = True, settle: bool = False
) -> AsyncIterator["asyncio.Task[None]"]:
    """Open a service that stands alone, which goes on until the end of the block.

    Args:
        service: is opened once it can answer.
        progress: called with what is being done.
        serve: whether no other process may serve the store meanwhile.
        settle: see `startup.start`.

    Yields:
        The task that ends when the service is open, or with the PricematchError that says why it cannot be.
    """
    encoding = Encoding(service.settings)
    opening = Opening(service, encoding, EncodersInUse(), progress, serve=serve, settle=settle)
    try:
        yield opening.task
    finally:
        service.drain()
        await encoding.aclose()
        await opening.aclose()
