"""A service started for a benchmark, and clients that ask it."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from catalogues import Subject

Ask: TypeAlias = Callable[[bytes], Any]


@contextmanager
def service(measured: Subject) -> Iterator[int]:
    """A ready service; gives its port."""
    port = free_port()
    with started(command(measured, port), port):
        yield port


def command(measured: Subject, port: int, data: Path | None = None) -> list[str]:
    """What starts a service; `data` is its folder, `data` beside the catalogue if absent."""
    options = {
        "catalogue": measured.catalogue,
        "images": measured.images,
        "models": measured.models,
        "data": data or measured.catalogue.parent / "data",
        "port": port,
    }
    return [sys.executable, "-m", "pricematch", "serve", *(f"--{name}={value}" for name, value in options.items())]


def free_port() -> int:
    """One that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def started(command: Sequence[str], port: int, variables: Mapping[str, str] | None = None) -> Iterator[int]:
    """A process, and whatever it starts, once it answers /readyz; gives its id. `variables` are of its environment."""
    environment = os.environ | {"PRICEMATCH_ACCESS_LOG": "false"} | dict(variables or {})
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        while not is_ready(port):
            if process.poll() is not None:
                sys.exit(process.returncode)
            time.sleep(0.2)
        yield process.pid
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def memory_mib(process: int) -> float:
    """Memory of a process and all it started, in MiB; what they share is counted once (Pss, see proc(5))."""
    shares = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
    own = int(shares.partition("\nPss:")[2].split()[0]) / 1024
    return own + sum(map(memory_mib, started_by(process)))


def processor_seconds(process: int) -> tuple[float, float]:
    """Seconds of a processor that a process has taken so far, and those that all it started have (see proc(5))."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own, sum(sum(processor_seconds(other)) for other in started_by(process))


def started_by(process: int) -> list[int]:
    """Ids of the processes that a process has started."""
    threads = Path(f"/proc/{process}/task").iterdir()
    return [int(other) for thread in threads for other in (thread / "children").read_text(encoding="ascii").split()]


def is_ready(port: int) -> bool:
    """Whether the service can answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except (urllib.error.URLError, ConnectionError):
        return False


def stage_seconds(port: int) -> dict[str, float]:
    """Seconds that all requests so far spent in each stage, by the service's own /metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as response:
        lines = response.read().decode().splitlines()
    found: dict[str, float] = {}
    for line in lines:
        if match := re.match(r'pricematch_stage_seconds_sum{.*stage="(\w+)".*} (\S+)', line):
            found[match[1]] = found.get(match[1], 0.0) + float(match[2])
    return found


def client(port: int) -> Ask:
    """Posts images to /match on one connection that is kept open, and gives the answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(image: bytes) -> Any:
        connection.request("POST", "/match", image, {"Content-Type": "image/jpeg"})
        response = connection.getresponse()
        content = response.read()
        if response.status != http.HTTPStatus.OK:
            raise RuntimeError(f"expected 200, got {response.status}: {content[:200]!r}")
        return json.loads(content)

    return ask
