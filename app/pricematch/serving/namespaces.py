"""Several catalogues in one process: a service for each namespace, which are found, made, opened and closed here."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self, TypeAlias

from pricematch.encoding.blocking import EncodersInUse
from pricematch.encoding.encoding import Encoding, EncodingObserver
from pricematch.encoding.worker_launch import LaunchedWorker
from pricematch.errors import (
    ArtefactError,
    NamespaceNotFound,
    NamespacesFull,
    NotReady,
    PricematchError,
    StoreDamaged,
    StoreFull,
    StoreInUse,
    StoreNewer,
)
from pricematch.progress import Progress
from pricematch.serving.opening import Opening
from pricematch.serving.service import Service
from pricematch.serving.shared import Shared
from pricematch.serving.tenant_settings import make_namespace_folder, served_settings, stored_namespaces
from pricematch.serving.webhooks import Render
from pricematch.settings import DEFAULT_NAMESPACE, Settings

_log = logging.getLogger("pricematch")
RenderOf: TypeAlias = Callable[[str], Render]
"""Gives what writes the messages of a namespace's webhooks."""
_REASONS: Mapping[type[PricematchError], str] = {
    StoreDamaged: "its store is damaged",
    StoreFull: "there is no room left where its store is",
    StoreInUse: "its store is served by another process",
    StoreNewer: "its store was written by a newer pricematch",
    ArtefactError: "a model that it needs cannot be used",
}
"""Without folders, since whoever asks is told."""


@dataclass(frozen=True, slots=True)
class NamespaceState:
    """A namespace as it is served.

    Attributes:
        name: of it.
        postings: in memory; None while there is no telling.
        catalogue_version: of these; None while there is no telling.
        reason: why it cannot answer; None where it can.
    """

    name: str
    postings: int | None
    catalogue_version: int | None
    reason: str | None

    @property
    def ready(self) -> bool:
        """Whether it can answer."""
        return self.reason is None


class Namespaces:
    """The services of a process by namespace. For one event loop.

    Args:
        settings: of the service; those of the default namespace.

    Attributes:
        settings: the same.

    Raises:
        StoreError: the folder of the namespaces cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._begin(settings, Shared(settings))
        for name in stored_namespaces(settings.data):
            self._add(name)
        self._settled = len(self._services) == 1
        if len(self._services) > settings.max_namespaces:
            most = settings.max_namespaces
            _log.warning("there are %d namespaces, and max_namespaces is %d", len(self._services), most)

    @classmethod
    def of(cls, service: Service) -> Self:
        """The namespaces of a service that stands alone: the default one, and no other can be made."""
        found = cls.__new__(cls)
        found._begin(service.settings, service.shared)
        found._services[DEFAULT_NAMESPACE] = service
        return found

    def _begin(self, settings: Settings, shared: Shared) -> None:
        self.settings, self._shared = settings, shared
        self._services: dict[str, Service] = {}
        self._openings: _Openings | None = None
        self._making = asyncio.Lock()
        self._settled = True

    def __iter__(self) -> Iterator[Service]:
        return iter(tuple(self._services.values()))

    @property
    def default(self) -> Service:
        """The service of whoever names no namespace."""
        return self._services[DEFAULT_NAMESPACE]

    def get(self, name: str) -> Service:
        """The service of a namespace, which may still be starting; raises NamespaceNotFound."""
        try:
            return self._services[name]
        except KeyError:
            raise NamespaceNotFound(name) from None

    def states(self) -> list[NamespaceState]:
        """All of them, by name."""
        return [_state(self._services[name]) for name in sorted(self._services)]

    def why_not_ready(self) -> str | None:
        """None once the default one can answer, and every other one can, or could not be started."""
        if (reason := self.default.why_not_ready()) is not None:
            return reason
        if self._settled:
            return None
        waiting = sum(service.starting for service in self)
        return f"the service is starting: {waiting} of {len(self._services)} namespaces are not open yet"

    def unready(self) -> Mapping[str, str]:
        """Why others than the default one cannot answer, by their names."""
        found = {service.namespace: service.why_not_ready() for service in self if service is not self.default}
        return {name: reason for name, reason in found.items() if reason is not None}

    async def make(self, name: str) -> tuple[NamespaceState, bool]:
        """Make a namespace, and open it; whether it is new. One that could not be started before is tried again.

        Raises:
            NamespacesFull: there are as many as may be.
            NotReady: the service is starting or stopping, or the namespace cannot be opened.
        """
        async with self._making:
            service = self._services.get(name)
            if service is not None and not service.failed:
                return _state(service), False
            if (is_new := service is None) and len(self._services) >= self.settings.max_namespaces:
                raise NamespacesFull(
                    f"expected at most {self.settings.max_namespaces} namespaces, and there are as many"
                )
            if self._openings is None or not self._settled:
                raise NotReady(self.why_not_ready() or "this service makes no namespace")
            if service is None:
                await asyncio.to_thread(make_namespace_folder, self.settings.data, name)
                service = self._add(name)
            if not await self._openings.open(service):
                raise NotReady(service.why_not_ready() or f"the namespace {name} could not be started")
            return _state(service), is_new

    def settle(self) -> None:
        """Every namespace was opened, or could not be: the service is ready where the default one is."""
        self._settled = True

    def drain(self) -> None:
        """Report not ready from now on, and let nobody wait for changes; requests are still answered."""
        for service in self:
            service.drain()

    def _add(self, name: str) -> Service:
        service = Service(served_settings(self.settings, name), self._shared, name)
        self._services[name] = service
        for each in self:
            each.share_memory(len(self._services))
        return service

    @asynccontextmanager
    async def opened(
        self,
        progress: Progress,
        observer: EncodingObserver | None = None,
        *,
        launched: Sequence[LaunchedWorker] = (),
        render: RenderOf | None = None,
    ) -> AsyncIterator["asyncio.Task[None]"]:
        """Open the services, the default one first, which go on until the end of the block.

        Args:
            progress: called with what is being done.
            observer: called with the batches that are encoded.
            launched: processes that encode which were launched already, see `launched_workers`.
            render: gives what writes the messages of webhooks; None: none is told.

        Yields:
            The task that ends when the default one is open, or with the PricematchError that says why it cannot be.
            Others that cannot be do not answer, and keep none from answering.
        """
        encoding = Encoding(self.settings, observer, launched=launched)
        openings = self._openings = _Openings(encoding, progress, render)
        first = openings.begin(self.default)
        others = asyncio.create_task(self._open_others(first, openings))
        try:
            yield first.task
        finally:
            self._openings = None
            self.drain()
            await encoding.aclose()  # what waits for it gets NotReady, and ends
            others.cancel()
            await openings.aclose()
            self._shared.workers.close()

    async def _open_others(self, first: Opening, openings: "_Openings") -> None:
        """Open all but the first one, each when the one before is open: a start takes all the cores."""
        await asyncio.wait({first.task})
        if first.task.cancelled() or first.task.exception() is not None:
            return
        for service in self:
            if service is not self.default:
                await openings.open(service)
        self.settle()


class _Openings:
    """Opens services over one encoding, and closes them together."""

    def __init__(self, encoding: Encoding, progress: Progress, render: RenderOf | None) -> None:
        self._encoding, self._progress, self._render = encoding, progress, render
        self._in_use, self._all = EncodersInUse(), dict[str, Opening]()

    def begin(self, service: Service) -> Opening:
        """Begin to open a service."""
        render = None if self._render is None else self._render(service.namespace)
        found = Opening(service, self._encoding, self._in_use, self._progress, render=render)
        self._all[service.namespace] = found
        return found

    async def open(self, service: Service) -> bool:
        """Open a service; whether it is. Why it cannot be is logged, and without folders told to whoever asks it."""
        name = service.namespace
        service.report(f"the namespace {name} is starting")
        try:
            await self.begin(service).task
        except Exception as error:  # noqa: BLE001 — whatever it is, the others go on
            found = error if isinstance(error, PricematchError) else NotReady("it could not be started")
            reasons = (text for kind, text in _REASONS.items() if isinstance(found, kind))
            service.fail(f"the namespace {name} cannot answer: {next(reasons, 'it could not be started')}")
            _log.error("the namespace %s is not served: %s", name, error, exc_info=None if found is error else error)
            del self._all[name]
            return False
        _log.info("the namespace %s is ready", name)
        return True

    async def aclose(self) -> None:
        """Close all that were opened, or are being opened."""
        await asyncio.gather(*(it.aclose() for it in self._all.values()))


def _state(service: Service) -> NamespaceState:
    reason = service.why_not_ready()
    try:
        snapshot = service.snapshot
    except NotReady:
        return NamespaceState(service.namespace, None, None, reason)
    return NamespaceState(service.namespace, len(snapshot.matcher.catalogue), snapshot.version, reason)
