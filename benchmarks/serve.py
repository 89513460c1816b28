"""How many requests of /match does the service answer, beside what the same cores do without it or with others?

    python benchmarks/serve.py [--images DIR] [--models DIR] [--requests N] [--rounds N] [--peer-venv DIR] [--soak N]

In one run and in turn, on the same pictures and models: the offline batch rate of `encode.py`; the service, asked by 32
clients; a naive service that calls the network once a request (`naive_service.py`); and LitServe (`peer_service.py`),
in a virtual environment of its own that is made if absent and uses the same TensorFlow. Clients keep their connections
open, are a process of their own and share the cores with whom they ask. Then the service alone at half its rate, with
requests that arrive at random, and if told so the memory it takes while it answers many more.
"""

import argparse
import base64
import json
import statistics
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from catalogues import Subject, jpegs, subject
from encode import Worker, our_way
from live import command, free_port, memory_mib, started
from load import Load, put_on
from rich.console import Console
from rich.table import Table

CLIENTS = 32
HERE = Path(__file__).parent
OFFLINE, SERVICE, NAIVE, PEER = "offline", "the service", "naive service", "LitServe"
WANTED = {OFFLINE: 0.8, NAIVE: 1.5, PEER: 1.3}
SOAK_STEPS = 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=Path, help="folder of JPEG pictures; a sample is drawn if absent")
    parser.add_argument("--models", type=Path, help="folder of exported models; trained for this run if absent")
    parser.add_argument("--requests", type=int, default=1500, help="for each service and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-venv", type=Path, help="where LitServe is, or is to be installed; without it if absent")
    parser.add_argument("--soak", type=int, default=0, help="requests during which memory is measured")
    options = parser.parse_args()
    with subject(options.images, options.models) as measured, ExitStack() as stack:
        images = [path.read_bytes() for path in jpegs(measured.images)]
        port = free_port()
        process = stack.enter_context(started(command(measured, port), port))
        loads = {SERVICE: Load(port, "/match?limit=10", images, options.requests, CLIENTS)}
        loads |= others(measured, options.peer_venv, loads[SERVICE], stack)
        offline = Worker(our_way, images, measured.models)
        rounds = [measured_round(loads, offline, len(images)) for _ in range(options.rounds)]
        Console().print(rates(rounds))
        half = replace(loads[SERVICE], rate=statistics.median(one[SERVICE] for one in rounds) / 2)
        Console().print(latencies([put_on(half).percentiles(50, 99) for _ in range(options.rounds)], half.rate or 0))
        if options.soak:
            Console().print(soak(replace(loads[SERVICE], requests=options.soak // SOAK_STEPS), process))


def others(measured: Subject, peer: Path | None, load: Load, stack: ExitStack) -> Mapping[str, Load]:
    """The naive service and, where it is wanted, LitServe: started, and how to ask them."""
    port = free_port()
    naive = [HERE / "naive_service.py", measured.images, measured.models, port]
    stack.enter_context(started([sys.executable, *map(str, naive)], port))
    found = {NAIVE: replace(load, port=port, path="/match")}
    if peer is not None:
        port = free_port()
        service = [peer_python(peer), HERE / "peer_service.py", measured.models, port]
        stack.enter_context(started([*map(str, service)], port))
        bodies = [json.dumps({"image": base64.b64encode(image).decode()}).encode() for image in load.bodies]
        found[PEER] = replace(load, port=port, path="/match", bodies=bodies, media_type="application/json")
    for warms_up in found.values():
        put_on(warms_up)
    return found


def peer_python(folder: Path) -> Path:
    """The Python of a virtual environment that has LitServe, made if there is none; the rest it finds in ours."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "litserve"], check=True)
        ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
        packages = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
        (Path(packages) / "ours.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return python


def measured_round(loads: Mapping[str, Load], offline: Worker, images: int) -> Mapping[str, float]:
    """Pictures a second, everybody once."""
    found = {OFFLINE: images / offline.seconds()}
    for name, load in loads.items():
        answered = put_on(load)
        if answered.failed:
            raise RuntimeError(f"{name} did not answer {answered.failed} of {load.requests} requests with 200")
        found[name] = answered.rate
    return found


def rates(rounds: Sequence[Mapping[str, float]]) -> Table:
    """Pictures a second, and the median of the rounds' ratios."""
    table = Table(title=f"Pictures a second, {CLIENTS} clients, {len(rounds)} rounds")
    for column in ("", "median", "least", "most", "service / this", "wanted"):
        table.add_column(column, justify="right")
    for name in rounds[0]:
        values = [one[name] for one in rounds]
        ratio = statistics.median(one[SERVICE] / one[name] for one in rounds)
        wanted = f"{WANTED[name]:.1f}" if name in WANTED else ""
        figures = (f"{value:.0f}" for value in (statistics.median(values), min(values), max(values)))
        table.add_row(name, *figures, f"{ratio:.2f}", wanted)
    return table


def latencies(rounds: Sequence[Sequence[float]], rate: float) -> Table:
    """p50 and p99, and the median of the rounds' ratios; at most 3 is wanted."""
    table = Table(title=f"The service at half load: {rate:.0f} requests a second that arrive at random")
    for column in ("p50 ms", "p99 ms", "p99 / p50"):
        table.add_column(column, justify="right")
    p50, p99 = (statistics.median(values) for values in zip(*rounds, strict=True))
    table.add_row(f"{p50:.1f}", f"{p99:.1f}", f"{statistics.median(late / usual for usual, late in rounds):.1f}")
    return table


def soak(load: Load, process: int) -> Table:
    """Memory of the service while it answers many requests, and by how much it grows."""
    table = Table(title=f"Memory during {SOAK_STEPS * load.requests} requests")
    for column in ("requests", "MiB", "requests a second"):
        table.add_column(column, justify="right")
    taken = []
    for step in range(1, SOAK_STEPS + 1):
        rate = put_on(load).rate
        taken.append(memory_mib(process))
        table.add_row(str(step * load.requests), f"{taken[-1]:.1f}", f"{rate:.0f}")
    later = taken[SOAK_STEPS // 2 :]
    slope = float(np.polyfit(np.arange(len(later)) * load.requests / 10_000, later, 1)[0])
    table.caption = f"{slope:+.1f} MiB for 10,000 requests, in the second half"
    return table


if __name__ == "__main__":
    main()
