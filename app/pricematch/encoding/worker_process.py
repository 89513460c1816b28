"""One worker process as the service sees it: started when it is needed, called over a socket, ended when it hangs.

What goes wrong in it, a crash or a hang, costs the images it had and nothing else.
"""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import Enum, auto
from threading import Thread
from typing import Any

from pricematch import errors
from pricematch.encoding.encoders import EncoderSpec
from pricematch.encoding.ports import Runtime
from pricematch.encoding.wire import read_frame, write_frame
from pricematch.encoding.worker_launch import ENDS_SECONDS, LaunchedWorker
from pricematch.errors import ModelOutputError, NotReady, PricematchError

_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM})
"""Signals by which somebody else, such as a kernel that is short of memory, ends a process."""


class Loss(Enum):
    """Why a process ended before it had answered."""

    CRASHED = auto()
    KILLED = auto()
    """Somebody else ended it."""
    LATE = auto()
    """It took too long for a batch, or for a network, and was ended."""
    OVERDRAWN = auto()
    """It took more of a processor for an image than it may."""


class WorkerLost(Exception):
    """A process ended, or was ended, before it had answered.

    Attributes:
        why: the kind of reason.
        place: of the image it was at, in its batch; None: at none, or at all together.
    """

    def __init__(self, reason: str, why: Loss, place: int | None = None) -> None:
        super().__init__(reason)
        self.why, self.place = why, place


class WorkerProcess:
    """A process that is started once it is needed. Belongs to one event loop.

    Args:
        command: starts it, see `LaunchedWorker`.
        batch_seconds: how long it may take for a batch; if it takes longer it is ended.
        start_seconds: how long it may take to start, and to load a network.
        on_end: called when it has ended, whatever it was doing.
        launched: what the command has started already, for the first start; None: nothing.

    Attributes:
        able: whether it can take images at once: it has loaded all it was to load, or was never needed yet.
        runtimes: what runs the networks of the encoders that were loaded last, by key and name.
    """

    def __init__(
        self,
        command: Sequence[str],
        batch_seconds: float,
        start_seconds: float,
        on_end: Callable[[], None],
        launched: LaunchedWorker | None = None,
    ) -> None:
        self._command, self._batch_seconds, self._start_seconds = command, batch_seconds, start_seconds
        self._on_end = on_end
        self._launched = launched
        self._worker: LaunchedWorker | None = None
        self._ending: asyncio.Task[None] | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._loaded: set[str] = set()
        self._closed = False
        self._lock = asyncio.Lock()
        self._started = False
        self.able = True
        self.runtimes: dict[str, Mapping[str, Runtime]] = {}

    @property
    def lost(self) -> bool:
        """Whether it was needed and is to be started again, which nobody does yet."""
        return self._started and not self.able and not self._lock.locked()

    @property
    def pid(self) -> int | None:
        """The system's number of it; None while it does not run."""
        process = None if self._worker is None else self._worker.process
        return None if process is None or process.returncode is not None else process.pid

    async def load(self, encoders: Mapping[str, EncoderSpec]) -> None:
        """Load these encoders and drop all others; those that it had stay if one does not load.

        Raises:
            ArtefactError, ModelOutputError: one does not load.
            WorkerLost: it ended meanwhile, or could not be started.
            NotReady: it was closed.
        """
        async with self._lock:
            could, self.able = self._started and self.able and self.pid is not None, False
            try:
                await self._hold(encoders)
                could = True
            finally:
                self.able = could and self.pid is not None

    async def call(
        self,
        encoders: Mapping[str, EncoderSpec],
        kept: frozenset[str],
        message: Mapping[str, Any],
        images: Sequence[bytes],
    ) -> tuple[Mapping[str, Any], bytes]:
        """The answer to one message about images.

        Args:
            encoders: those that it takes, which are loaded first if they are not.
            kept: keys of others that are not to be dropped.
            message: what is wanted.
            images: of which.

        Raises:
            ArtefactError: an encoder does not load.
            ModelOutputError, Overloaded: it failed.
            WorkerLost: it ended, or took too long.
            NotReady: it was closed.
        """
        async with self._lock:
            await self._hold(encoders, kept)
            self.able = True
            return await self._call(self._batch_seconds, message, *images)

    async def aclose(self) -> None:
        """End it, whatever it is doing, and start it no more."""
        self._closed = True
        await self._end()

    async def _hold(self, encoders: Mapping[str, EncoderSpec], kept: frozenset[str] = frozenset()) -> None:
        await self._start()
        for key in self._loaded - encoders.keys() - kept:
            await self._call(self._batch_seconds, {"drop": key})
            self._loaded.remove(key)
        for key in encoders.keys() - self._loaded:
            spec = encoders[key]
            if spec.network is not None:
                network = spec.network.model_dump(mode="json")
                message = {"load": key, "side": spec.side, "network": network}
                answer, _ = await self._call(self._start_seconds, message)
                self.runtimes[key] = {name: Runtime(**it) for name, it in answer["runtimes"].items()}
                self._loaded.add(key)

    async def _call(self, seconds: float, message: Mapping[str, Any], *parts: bytes) -> tuple[Mapping[str, Any], bytes]:
        if self._streams is None:
            raise NotReady("the service is stopping")
        reader, writer = self._streams
        try:
            async with asyncio.timeout(seconds):
                await write_frame(writer, message, *parts)
                answer, body = await read_frame(reader)
        except TimeoutError as error:
            place = self._place()
            await self._end()
            raise WorkerLost(f"the process that encodes took longer than {seconds:g} s", Loss.LATE, place) from error
        except (OSError, EOFError) as error:
            raise await self._lost() from error
        except BaseException:  # cancelled: an answer may be left unread
            self._kill()
            raise
        if "error" in answer:
            raise error_of(*answer["error"])
        return answer, body

    async def _start(self) -> None:
        if self._streams is not None and self.pid is not None and not self._streams[0].at_eof():
            return
        if self._worker is not None:
            await self._end()
        if self._closed:
            raise NotReady("the service is stopping")
        self._started = True
        try:
            worker, self._launched = self._launched or LaunchedWorker(self._command), None
        except OSError as error:
            self.able = False
            reason = f"the process that encodes could not be started ({error.strerror})"
            raise WorkerLost(reason, Loss.CRASHED) from error
        self._worker, self._ending = worker, asyncio.create_task(self._watch(worker), name="worker")
        try:
            self._streams = await asyncio.open_connection(sock=worker.connection)
        except BaseException:
            worker.connection.close()  # which ends the process
            raise
        self._loaded = set()
        if self._closed:  # while it was started
            await self._end()
        await self._call(self._start_seconds, {"ready": True})

    async def _watch(self, worker: LaunchedWorker) -> None:
        """See a process to its end, so that none is left behind, however long it takes."""
        await _ended(worker)
        if worker is self._worker:
            self.able = False
            self._on_end()

    def _place(self) -> int | None:
        return None if self._closed or self._worker is None else self._worker.place()

    async def _lost(self) -> WorkerLost:
        """End it if it has not by itself; how it ended."""
        await self._waited()
        code, place = None if self._worker is None else self._worker.process.returncode, self._place()
        await self._end()
        if code == -signal.SIGPROF and place is not None:
            return WorkerLost("the image takes more of a processor to decode than images may", Loss.OVERDRAWN, place)
        if code is None:
            how = "hung up"
        else:
            how = f"ended with {signal.Signals(-code).name if code < 0 else f'exit code {code}'}"
        why = Loss.KILLED if code is not None and -code in _FROM_OUTSIDE else Loss.CRASHED
        return WorkerLost(f"the process that encodes {how}", why, place)

    async def _end(self) -> None:
        self._kill()
        await self._waited()
        if self._worker is not None:
            self._worker.places.close()

    async def _waited(self) -> None:
        """Wait for it to end, for a while: the kernel may not let go of it, and another one takes its place then."""
        if self._ending is not None:
            await asyncio.wait({self._ending}, timeout=ENDS_SECONDS)

    def _kill(self) -> None:
        self.able = False
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
        if self._worker is not None:
            self._worker.process.kill()


def error_of(name: str, message: str) -> PricematchError:
    """The error that a worker has named; only errors that have nothing but a message cross the socket."""
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, PricematchError)):
        return ModelOutputError(f"{name}: {message}")
    return kind(message)


async def _ended(worker: LaunchedWorker) -> None:
    """Wait for a process to end, in a thread of its own: it may run as long as the service does."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def wait() -> None:
        worker.process.wait()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(ended.set)

    Thread(target=wait, daemon=True, name="worker").start()
    await ended.wait()
