"""Worker processes as the operating system has them: a command, a socket, and a file that says which image one is at.

They can be launched before anything calls them, and import meanwhile what they need. This imports little itself.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

ENDS_SECONDS = 10.0
"""For what was killed, or has hung up, to end; it is waited for in the background beyond."""
_PROGRAM = "pricematch.encoding.worker"
_ROOT = Path(__file__).parents[2]
_PLACE = struct.Struct("!i")
_NONE = -1
_NOT_FOR_IT = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
"""Signals that go to the service, which ends its processes."""


def note_place(place: int | None) -> None:
    """Write down, in a worker process, which image of a batch it is at; None: at none, or at all together."""
    os.pwrite(sys.stdout.fileno(), _PLACE.pack(_NONE if place is None else place), 0)


class LaunchedWorker:
    """A worker process that was launched; it imports what it needs, and then waits to be called.

    Args:
        command: starts it; its standard input is the socket, its standard output a file for `note_place`.

    Attributes:
        process: as the system runs it.
        connection: our end of the socket; whoever takes it closes it.
        places: the file that says which image it is at.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.places = tempfile.TemporaryFile()  # noqa: SIM115 — it is closed with the process
        os.pwrite(self.places.fileno(), _PLACE.pack(_NONE), 0)
        self.connection, there = socket.socketpair()
        # blocked from its first moment on, while it imports; those that come to this process meanwhile wait
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_FOR_IT)
        try:
            with there:
                self.process = subprocess.Popen(  # noqa: S603 — the command is ours
                    command, stdin=there.fileno(), stdout=self.places.fileno(), env=_environment()
                )
        except BaseException:
            self._close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def place(self) -> int | None:
        """Of the image that it is at, or was when it ended; None: at none, or at all together."""
        [place] = _PLACE.unpack(os.pread(self.places.fileno(), _PLACE.size, 0))
        return None if place == _NONE else int(place)

    def end(self) -> None:
        """End it, whatever it is doing."""
        self.process.kill()
        self._close()
        with suppress(subprocess.TimeoutExpired):  # the kernel does not let go of it
            self.process.wait(ENDS_SECONDS)

    def _close(self) -> None:
        self.connection.close()
        self.places.close()


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


@contextmanager
def launched_workers(count: int) -> Iterator[Sequence[LaunchedWorker]]:
    """Worker processes that are launched ahead of the first call; those that still run at the end of the block end.

    They may be fewer: what cannot be started now is started once it is needed, which says why it cannot be then.
    """
    launched: list[LaunchedWorker] = []
    with ExitStack() as ends:
        with suppress(OSError):
            for command in worker_commands(count):
                worker = LaunchedWorker(command)
                ends.callback(worker.end)
                launched.append(worker)
        yield launched


def _environment() -> dict[str, str]:
    known = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), known)))}
