"""The service and what users would write themselves, started over one catalogue, and what clients see of them."""

import base64
import json
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from live import command, free_port, memory_mib, processor_seconds, stage_seconds, started
from load import Load, Measured, put_on
from served_catalogues import BOUNDARY, QUERIES, Query, Served, form

from pricematch.encoding.encoders import resolve_precision

SERVICE, NAIVE, PEER = "the service", "naive service", "LitServe"
_HERE = Path(__file__).parent
_MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
_UNCACHED = {"PRICEMATCH_MAX_CACHED_FEATURE_BYTES": "0", "PRICEMATCH_MAX_CACHED_RESULT_BYTES": "0"}


@dataclass(frozen=True)
class Answered:
    """What clients saw of a service, and what it took.

    Attributes:
        measured: what they saw.
        own_ms, started_ms: milliseconds of a processor a request, of the process and of those that it started.
        stages: milliseconds a request in each stage, by the service's own /metrics; empty of others.
    """

    measured: Measured
    own_ms: float
    started_ms: float
    stages: Mapping[str, float]


@dataclass(frozen=True)
class Running:
    """A service that answers.

    Attributes:
        name: in tables.
        process: its id.
        port: on loopback.
        path: that clients post to.
        bodies: what they post, by the name of the query.
        media_type: of the bodies.
    """

    name: str
    process: int
    port: int
    path: str
    bodies: Mapping[str, Sequence[bytes]]
    media_type: str

    def answered(self, query: str, clients: int, seconds: float, rate: float | None = None) -> Answered:
        """Put a load on it, see `load.Load`; raises RuntimeError where a request is not answered 200."""
        load = Load(self.port, self.path, self.bodies[query], seconds, clients, self.media_type, rate)
        before, stages = processor_seconds(self.process), self._stages()
        measured = put_on(load)
        if measured.failed:
            raise RuntimeError(f"{self.name} did not answer {measured.failed} requests with 200")
        count = len(measured.milliseconds)
        own, others = (
            1e3 * (after - first) / count for first, after in zip(before, processor_seconds(self.process), strict=True)
        )
        by_stage = {name: 1e3 * (after - stages.get(name, 0)) / count for name, after in self._stages().items()}
        return Answered(measured, own, others, by_stage)

    def memory_mib(self) -> float:
        """Memory of it and all it started, see `live.memory_mib`."""
        return memory_mib(self.process)

    def _stages(self) -> Mapping[str, float]:
        return stage_seconds(self.port) if self.name == SERVICE else {}


def running_services(
    catalogue: Served, queries: Sequence[Query], peer: Path | None, stack: ExitStack
) -> Mapping[str, Running]:
    """The service, the naive one and, where a folder for its environment is given, LitServe, until the stack ends."""
    forms = {name: [form(query, fields) for query in queries] for name, fields in QUERIES.items()}
    found = {}
    port = free_port()
    process = stack.enter_context(started(command(catalogue.subject, port, catalogue.data), port, _UNCACHED))
    found[SERVICE] = Running(SERVICE, process, port, "/match?limit=10", forms, _MULTIPART)
    port = free_port()
    naive = [sys.executable, _HERE / "naive_service.py", *_arguments(catalogue, port)]
    process = stack.enter_context(started(list(map(str, naive)), port))
    found[NAIVE] = Running(NAIVE, process, port, "/match", forms, _MULTIPART)
    if peer is not None:
        port = free_port()
        served = [_peer_python(peer), _HERE / "peer_service.py", *_arguments(catalogue, port)]
        process = stack.enter_context(started(list(map(str, served)), port))
        bodies = {name: [_as_json(query, fields) for query in queries] for name, fields in QUERIES.items()}
        found[PEER] = Running(PEER, process, port, "/match", bodies, "application/json")
    return found


def _arguments(catalogue: Served, port: int) -> list[object]:
    """Those of `naive_service.py`."""
    return [port, catalogue.arrays, int(resolve_precision("auto") == "bfloat16"), *catalogue.models]


def _as_json(query: Query, fields: Sequence[str]) -> bytes:
    contents = {"image": base64.b64encode(query.image).decode(), "title": query.title}
    return json.dumps({field: contents[field] for field in fields}).encode()


def _peer_python(folder: Path) -> Path:
    """The Python of a virtual environment that has LitServe, made if there is none; the rest it finds in ours."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "litserve"], check=True)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
    (Path(packages) / "ours.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return python
