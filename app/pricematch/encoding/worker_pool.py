"""Worker processes that all hold the same encoders; one that is lost is started again."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from pricematch.encoding.encoders import COLOURS, EncoderSpec, colours_spec
from pricematch.encoding.ports import Runtime
from pricematch.encoding.worker_launch import LaunchedWorker
from pricematch.encoding.worker_process import Loss, WorkerLost, WorkerProcess
from pricematch.errors import ArtefactError, ModelOutputError, PricematchError
from pricematch.settings import Settings

_log = logging.getLogger("pricematch")
_SEVERAL = 2
_LIVES = 2
"""So many times a process is started to load a network, where it is lost meanwhile."""
_MOST_PAUSE_SECONDS = 15.0
"""Between two attempts to start a process again, at most."""


class WorkerPool:
    """Processes and the encoders they hold. For one event loop.

    Args:
        settings: how long a process may take before it is ended.
        commands: start the processes.
        on_change: called whenever a process may be able to do something, or not any more.
        launched: what the first of these commands have started already.

    Attributes:
        processes: all of them, whatever their state.
        lost_because: why the last process was lost that was.
    """

    def __init__(
        self,
        settings: Settings,
        commands: Iterable[Sequence[str]],
        on_change: Callable[[], None],
        launched: Sequence[LaunchedWorker] = (),
    ) -> None:
        self._on_change = on_change
        colours = map(colours_spec, COLOURS)
        self._known: dict[str, EncoderSpec] = {spec.key: spec for spec in colours}
        self._colours = frozenset(self._known)
        self._held = set(self._colours)
        seconds = settings.batch_seconds, settings.start_seconds
        each = zip(commands, chain(launched, repeat(None)), strict=False)
        self.processes = [WorkerProcess(command, *seconds, on_change, worker) for command, worker in each]
        self.lost_because = ""
        self._loading = asyncio.Lock()

    @property
    def known(self) -> Mapping[str, EncoderSpec]:
        """All encoders that were ever loaded, by key."""
        return self._known

    @property
    def held(self) -> frozenset[str]:
        """Keys of the encoders that every process is to hold, once it has loaded them."""
        return frozenset(self._held)

    def _encoders(self) -> Mapping[str, EncoderSpec]:
        return {key: self._known[key] for key in self._held}

    def why_unable(self) -> str | None:
        """Why no process can take images; None if one can."""
        if any(process.able for process in self.processes):
            return None
        return f"no process that encodes is ready{self.lost_because and f', since {self.lost_because}'}"

    @property
    def pids(self) -> Sequence[int]:
        """Of the processes that run, as the system numbers them."""
        return [pid for process in self.processes if (pid := process.pid) is not None]

    def runtimes_of(self, keys: Iterable[str]) -> Mapping[str, Runtime]:
        """What runs the networks of those of these encoders that are held, by name and version, such as `cnn/1`."""
        held = self._held.intersection(keys)
        return {
            f"{name}/{self._known[key].versions[name]}": runtime
            for process in self.processes
            for key in held & process.runtimes.keys()
            for name, runtime in process.runtimes[key].items()
        }

    async def load(self, encoders: Iterable[EncoderSpec]) -> None:
        """Let every process load these encoders, besides those that it holds; returns once all have.

        At once where none runs yet; else one after the other, so that the others encode meanwhile. Of several calls
        one is done after the other.

        Raises:
            ArtefactError: one does not load; those before stay loaded.
            ModelOutputError: a process was lost meanwhile, again and again, or took too long.
            NotReady: it was closed.
        """
        async with self._loading:
            await self._load({encoder.key: encoder for encoder in encoders})

    async def _load(self, specs: Mapping[str, EncoderSpec]) -> None:
        new = specs.keys() - self._held
        self._known |= specs
        self._held |= new  # now, so that no batch between makes a process forget what it has just loaded
        try:
            if not self.pids:
                await _all_of([self._loaded(process) for process in self.processes])
            else:
                for process in self.processes:
                    await self._loaded(process)
        except BaseException:
            self._held -= new
            raise
        for label, runtime in self.runtimes_of(new).items():
            if runtime.reason is not None:
                _log.warning("%s runs in %s, since %s", label, runtime.name, runtime.reason)

    async def _loaded(self, process: WorkerProcess) -> None:
        """Let a process load what is to be held, again if it is lost meanwhile."""
        for lives in reversed(range(_LIVES)):
            try:
                await process.load(self._encoders())
            except WorkerLost as lost:
                if lost.why is Loss.LATE or not lives:
                    raise ModelOutputError(f"{lost}, while it loaded the models") from lost
                _log.warning("%s, while it loaded the models; another one is started", lost)
            else:
                return
            finally:
                self._on_change()

    @property
    def ready(self) -> tuple[int, int]:
        """How many processes have loaded what is to be held, of how many."""
        return sum(process.able and process.pid is not None for process in self.processes), len(self.processes)

    def retain(self, keys: Iterable[str]) -> None:
        """Let the processes forget all encoders but these; requests that still want another one have it loaded again.

        Args:
            keys: of encoders that were loaded.
        """
        self._held = {*self._colours, *keys} & self._known.keys()

    async def revive(self, process: WorkerProcess) -> None:
        """Start a process again, and let it load what is held; tried until it succeeds.

        An encoder that does not load any more, of several, is left out: its images fail, and no others.
        """
        pause = 1.0
        while process.lost:
            try:
                await self._load_what_loads(process)
                _log.info("a process that encodes was started again")
            except (PricematchError, WorkerLost) as error:
                self.lost_because = str(error)
                _log.error("a process that encodes cannot be started again: %s", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _MOST_PAUSE_SECONDS)
            finally:
                self._on_change()

    async def _load_what_loads(self, process: WorkerProcess) -> None:
        """Let a process load what is held; raises ArtefactError where no network loads, and as `WorkerProcess.load`."""
        encoders = self._encoders()
        try:
            await process.load(encoders)
        except ArtefactError:
            if sum(spec.network is not None for spec in encoders.values()) < _SEVERAL:
                raise
            await self._load_each(process, encoders)

    async def _load_each(self, process: WorkerProcess, encoders: Mapping[str, EncoderSpec]) -> None:
        """Let a process load those that load; raises ArtefactError where no network does."""
        loaded, failed = dict[str, EncoderSpec](), list[ArtefactError]()
        for key, spec in encoders.items():
            try:
                await process.load({**loaded, key: spec})
                loaded[key] = spec
            except ArtefactError as error:
                failed.append(error)
        if all(spec.network is None for spec in loaded.values()):
            raise failed[0]
        for fault in failed:
            _log.error("an encoder is left out by a process that was started again: %s", fault)

    async def aclose(self) -> None:
        """End all processes."""
        await asyncio.gather(*(process.aclose() for process in self.processes), return_exceptions=True)


async def _all_of(calls: Sequence[Any]) -> None:
    """Run all to their end; raises the first error then."""
    for error in await asyncio.gather(*calls, return_exceptions=True):
        if error is not None:
            raise error
