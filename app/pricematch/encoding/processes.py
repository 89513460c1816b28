"""Encodes in processes of their own, so that Python's lock, a crash and a hang there are nothing to the service.

A network that computes in one thread on a core of its own wastes nothing on sharing, and nothing on waiting for Python.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any, TypeAlias
from weakref import WeakSet

import numpy as np

from pricematch import errors
from pricematch.encoding.ports import Embedded
from pricematch.encoding.wire import EncoderSpec, receive, send
from pricematch.errors import ImageError, ModelOutputError, NotReady, PricematchError

_PROGRAM = "pricematch.encoding.embedding_worker"
_ROOT = Path(__file__).parents[2]
_ENDS_SECONDS = 1.0
"""For what has hung up to end."""
Start: TypeAlias = Callable[[socket.socket], "subprocess.Popen[bytes]"]
"""Starts a process that answers what comes over a socket."""


class EncoderProcesses:
    """Processes that are started once they are needed. Safe to use from several threads.

    Args:
        starts: what starts each of them, again if it has ended.
        seconds: how long one may take for what it is asked at once; one that takes longer is ended.
    """

    def __init__(self, starts: Sequence[Start], seconds: float) -> None:
        self._every = [_Process(start, seconds) for start in starts]
        self._free: SimpleQueue[_Process] = SimpleQueue()
        for process in self._every:
            self._free.put(process)
        self._held: WeakSet[ProcessEmbedder] = WeakSet()
        self._lock = Lock()

    def embedder(self, spec: EncoderSpec, versions: Mapping[str, str], dimension: int) -> "ProcessEmbedder":
        """An encoder that all of them have loaded; they forget it when nobody holds it any more.

        Raises:
            ArtefactError: it does not load.
            ModelOutputError: a process ended meanwhile.
        """
        embedder = ProcessEmbedder(self, spec, versions, dimension)
        with self._lock:
            self._held.add(embedder)
        try:
            with ThreadPoolExecutor(len(self._every)) as pool:
                list(pool.map(lambda process: process.load(self._keys()), self._every))
        except PricematchError:
            with self._lock:
                self._held.discard(embedder)
            raise
        return embedder

    def embed(self, key: str, images: Sequence[bytes]) -> Embedded:
        """See `ports.Embedder.embed`.

        Args:
            key: of an embedder that is held.
            images: the pictures.
        """
        process = self._free.get()
        try:
            return process.embed(self._keys(), key, images)
        finally:
            self._free.put(process)

    def ids(self) -> Sequence[int]:
        """Of those that run, as the system numbers processes."""
        return [found for process in self._every if (found := process.id) is not None]

    def close(self) -> None:
        """End them, whatever they are at."""
        for process in self._every:
            process.close()

    def _keys(self) -> Collection[str]:
        with self._lock:
            return {embedder.key for embedder in self._held}


class ProcessEmbedder:
    """Implements `ports.Embedder` in other processes.

    Attributes:
        key: the specification of the encoder, as JSON has it.
        versions: name and version of each model involved.
        dimension: length d of an embedding.
    """

    def __init__(
        self, processes: EncoderProcesses, spec: EncoderSpec, versions: Mapping[str, str], dimension: int
    ) -> None:
        self.key = spec.model_dump_json()
        self.versions, self.dimension = versions, dimension
        self._processes = processes

    def embed(self, images: Sequence[bytes]) -> Embedded:
        """See `ports.Embedder.embed`."""
        return self._processes.embed(self.key, images)


class _Process:
    """One process, which is started when something is to be done and it does not run."""

    def __init__(self, start: Start, seconds: float) -> None:
        self._start, self._seconds = start, seconds
        self._running: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._loaded: set[str] = set()
        self._closed = False
        self._lock = Lock()

    def load(self, keys: Collection[str]) -> None:
        """Let it hold these encoders and no others."""
        with self._lock, self._connected() as connection:
            self._hold(connection, keys)

    def embed(self, keys: Collection[str], key: str, images: Sequence[bytes]) -> Embedded:
        """What the encoder `key`, which is one of `keys`, makes of some pictures."""
        with self._lock, self._connected() as connection:
            self._hold(connection, keys)
            said, body = _asked(connection, {"embed": key, "sizes": [len(image) for image in images]}, *images)
        faults = [None if error is None else _error(*error) for error in said["errors"]]
        embeddings = np.frombuffer(body, "<f4").reshape(said["shape"])
        return Embedded(
            embeddings, [it if isinstance(it, ImageError) else None for it in faults], said["decode_seconds"]
        )

    @property
    def id(self) -> int | None:
        """The system's number of it; None while it does not run."""
        running = self._running
        return None if running is None or running.poll() is not None else running.pid

    def close(self) -> None:
        """End it, and start it no more."""
        self._closed = True
        if self._running is not None:
            self._running.kill()
            self._running.wait()
        with self._lock:  # whoever waits for its answer hears that there will be none
            self._disconnect()

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        """The connection to it, started anew if it has ended; raises ModelOutputError if it ends in the block."""
        try:
            yield self._reached()
        except PricematchError:  # it said so itself, and goes on
            raise
        except (OSError, EOFError) as error:
            raise ModelOutputError(self._end(late=isinstance(error, TimeoutError))) from error
        except BaseException:  # an answer may be left that nobody has read to its end
            self._end(late=True)
            raise

    def _reached(self) -> socket.socket:
        if self._connection is not None and self._running is not None and self._running.poll() is None:
            return self._connection
        self._disconnect()
        if self._closed:
            raise NotReady("the service is stopping")
        self._connection, there = socket.socketpair()
        self._connection.settimeout(self._seconds)
        self._loaded = set()
        with there:
            self._running = self._start(there)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _end(self, *, late: bool) -> str:
        """End it; says why."""
        if self._running is None:
            return "the process that encodes could not be started"
        try:
            ended = self._running.wait(0 if late else _ENDS_SECONDS)
        except subprocess.TimeoutExpired:
            self._running.kill()
            ended = self._running.wait()
        if late:
            return f"the process that encodes took longer than {self._seconds:g} s"
        why = signal.Signals(-ended).name if ended < 0 else f"exit code {ended}"
        return f"the process that encodes ended with {why}"

    def _hold(self, connection: socket.socket, keys: Collection[str]) -> None:
        for key in self._loaded - set(keys):
            _asked(connection, {"drop": key})
            self._loaded.remove(key)
        for key in set(keys) - self._loaded:
            _asked(connection, {"load": key})
            self._loaded.add(key)


def _asked(connection: socket.socket, said: Mapping[str, Any], *parts: bytes) -> tuple[Mapping[str, Any], memoryview]:
    """What a process answers; raises what it says went wrong, OSError, EOFError."""
    send(connection, said, *parts)
    answer, body = receive(connection)
    if "error" in answer:
        raise _error(*answer["error"])
    return answer, body


def _error(name: str, message: str) -> PricematchError:
    """An error that is told of by its name; all that may be have nothing but a message."""
    kind = getattr(errors, name)
    error: PricematchError = kind(message)
    return error


def starts(count: int) -> list[Start]:
    """What starts so many processes, each on a processor of its own if there are just as many.

    Where there are more processors, or fewer, which one runs where is the kernel's to say. Where there are as many, it
    was seen to leave two processes on one processor for seconds while the other had nothing to do.
    """
    ours = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [*range(os.cpu_count() or 1)]
    threads = max(1, len(ours) // count)
    pinned = len(ours) == count and hasattr(os, "sched_setaffinity")
    return [partial(_started, threads, processor) for processor in (ours if pinned else [None] * count)]


def _started(threads: int, processor: int | None, there: socket.socket) -> "subprocess.Popen[bytes]":
    arguments = [str(value) for value in (there.fileno(), threads, processor) if value is not None]
    known = os.environ.get("PYTHONPATH")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), known)))}
    return subprocess.Popen(  # noqa: S603 — a program of our own, its arguments numbers
        [sys.executable, "-P", "-m", _PROGRAM, *arguments],  # -P: nothing is imported from wherever this was started
        stdin=subprocess.DEVNULL,
        pass_fds=[there.fileno()],
        env=environment,
    )
