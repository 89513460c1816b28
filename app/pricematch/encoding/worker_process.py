"""One worker process as the service sees it: started when it is needed, called over a socket, ended when it hangs.

What goes wrong in it, a crash or a hang, costs the images it had and nothing else.
"""

import asyncio
import json
import os
import signal
import socket
import struct
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pricematch import errors
from pricematch.encoding.encoders import EncoderSpec
from pricematch.errors import ModelOutputError, NotReady, PricematchError

_LENGTHS = struct.Struct("!IQ")


def send(connection: socket.socket, message: Mapping[str, Any], *parts: bytes) -> None:
    """Send a frame: a JSON object and bytes; raises OSError."""
    head = json.dumps(message).encode()
    connection.sendall(b"".join((_LENGTHS.pack(len(head), sum(map(len, parts))), head, *parts)))


def receive(connection: socket.socket) -> tuple[Mapping[str, Any], memoryview]:
    """The next frame; raises EOFError if the other end is gone, OSError."""
    head, body = _LENGTHS.unpack(_exactly(connection, _LENGTHS.size))
    message: Mapping[str, Any] = json.loads(bytes(_exactly(connection, head)))
    return message, _exactly(connection, body)


async def _write_frame(writer: asyncio.StreamWriter, message: Mapping[str, Any], *parts: bytes) -> None:
    """Send a frame from an event loop; raises OSError."""
    head = json.dumps(message).encode()
    writer.write(_LENGTHS.pack(len(head), sum(map(len, parts))) + head)
    for part in parts:
        writer.write(part)
        await writer.drain()


async def _read_frame(reader: asyncio.StreamReader) -> tuple[Mapping[str, Any], bytes]:
    """The next frame in an event loop; raises EOFError if the other end is gone, OSError."""
    head, body = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    message: Mapping[str, Any] = json.loads(await reader.readexactly(head))
    return message, await reader.readexactly(body)


def divided(body: memoryview, sizes: Sequence[int]) -> list[bytes]:
    """Consecutive pieces of these sizes."""
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    return [bytes(body[end - size : end]) for end, size in zip(ends, sizes, strict=True)]


def _exactly(connection: socket.socket, size: int) -> memoryview:
    view = memoryview(bytearray(size))
    filled = 0
    while filled < size:
        got = connection.recv_into(view[filled:])
        if got == 0:
            raise EOFError("the other end is gone")
        filled += got
    return view


_PROGRAM = "pricematch.encoding.worker"
_ROOT = Path(__file__).parents[2]
_ENDS_SECONDS = 1.0
"""For what has hung up to end."""
_LOAD_SECONDS = 300.0
"""For it to start and to load a network, TensorFlow's import included, however short the time for a batch is."""


class WorkerProcess:
    """A process that is started once it is needed, and again if it has ended. Belongs to one event loop.

    Args:
        command: starts it; its standard input is the socket.
        seconds: how long it may take for a batch; if it takes longer it is ended.
    """

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self._command, self._seconds = command, seconds
        self._process: Process | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._loaded: set[str] = set()
        self._closed = False
        self._lock = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The system's number of it; None while it does not run."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def load(self, encoders: Mapping[str, EncoderSpec]) -> None:
        """Load these encoders and drop all others; raises ArtefactError, ModelOutputError, NotReady."""
        async with self._lock:
            await self._hold(encoders)

    async def call(
        self, encoders: Mapping[str, EncoderSpec], message: Mapping[str, Any], images: Sequence[bytes]
    ) -> tuple[Mapping[str, Any], bytes]:
        """The answer to one message about images, once these encoders are loaded.

        Raises:
            ArtefactError: an encoder does not load.
            ModelOutputError: it failed, ended or took too long.
            NotReady: it was closed.
        """
        async with self._lock:
            await self._hold(encoders)
            return await self._call(self._seconds, message, *images)

    async def aclose(self) -> None:
        """End it, whatever it is doing, and start it no more."""
        self._closed = True
        await self._end()

    async def _hold(self, encoders: Mapping[str, EncoderSpec]) -> None:
        await self._start()
        for key in self._loaded - encoders.keys():
            await self._call(self._seconds, {"drop": key})
            self._loaded.remove(key)
        for key in encoders.keys() - self._loaded:
            spec = encoders[key]
            if spec.network is not None:
                network = spec.network.model_dump(mode="json")
                await self._call(_LOAD_SECONDS, {"load": key, "side": spec.side, "network": network})
                self._loaded.add(key)

    async def _call(self, seconds: float, message: Mapping[str, Any], *parts: bytes) -> tuple[Mapping[str, Any], bytes]:
        if self._streams is None:
            raise NotReady("the service is stopping")
        reader, writer = self._streams
        try:
            async with asyncio.timeout(seconds):
                await _write_frame(writer, message, *parts)
                answer, body = await _read_frame(reader)
        except TimeoutError as error:
            await self._end()
            raise ModelOutputError(f"the process that encodes took longer than {seconds:g} s") from error
        except (OSError, EOFError) as error:
            raise ModelOutputError(f"the process that encodes {await self._ended()}") from error
        except BaseException:  # cancelled: an answer may be left unread
            self._kill()
            raise
        if "error" in answer:
            raise error_of(*answer["error"])
        return answer, body

    async def _start(self) -> None:
        if self._streams is not None and self.pid is not None and not self._streams[0].at_eof():
            return
        await self._end()
        if self._closed:
            raise NotReady("the service is stopping")
        here, there = socket.socketpair()
        try:
            with there:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command, stdin=there.fileno(), env=_environment()
                )
            self._streams = await asyncio.open_connection(sock=here)
        except OSError as error:
            here.close()
            raise ModelOutputError("the process that encodes could not be started") from error
        except BaseException:
            here.close()
            raise
        self._loaded = set()
        await self._call(_LOAD_SECONDS, {"ready": True})

    async def _ended(self) -> str:
        """End it if it has not by itself; how it ended, in words."""
        code: int | None = None
        if self._process is not None:
            try:
                async with asyncio.timeout(_ENDS_SECONDS):
                    code = await self._process.wait()
            except TimeoutError:
                pass
        await self._end()
        if code is None:
            return "hung up"
        return f"ended with {signal.Signals(-code).name if code < 0 else f'exit code {code}'}"

    async def _end(self) -> None:
        self._kill()
        if self._process is not None:
            try:
                async with asyncio.timeout(_ENDS_SECONDS):
                    await self._process.wait()
            except TimeoutError:  # the kernel does not let go of it; another one takes its place all the same
                pass

    def _kill(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
        if self._process is not None and self._process.returncode is None:
            self._process.kill()


def worker_commands(count: int) -> list[Sequence[str]]:
    """Commands that start so many worker processes, each on a processor of its own if there are just as many.

    Where there are more processors, or fewer, the kernel places them. Where there are as many, it
    was seen to leave two processes on one processor for seconds while the other had nothing to do.
    """
    ours = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [*range(os.cpu_count() or 1)]
    threads = max(1, len(ours) // count)
    pinned = len(ours) == count and hasattr(os, "sched_setaffinity")
    # -P: nothing is imported from wherever this was started
    command = [sys.executable, "-P", "-m", _PROGRAM, str(threads)]
    return [[*command, str(processor)] for processor in ours] if pinned else [command] * count


def error_of(name: str, message: str) -> PricematchError:
    """The error that a worker has named; only errors that have nothing but a message cross the socket."""
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, PricematchError)):
        return ModelOutputError(f"{name}: {message}")
    return kind(message)


def _environment() -> dict[str, str]:
    known = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), known)))}
