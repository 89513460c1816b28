"""How many requests of /match does the service answer, beside what the same cores do without it or with others?

    python benchmarks/serve.py [--matcher] [--before EXECUTABLE] [--images DIR] [--models DIR] [--requests N]
                               [--rounds N] [--peer-venv DIR] [--soak N]

In one run and in turn, on the same images and models: the offline batch rate of `encode.py`; the service, asked by 32
clients; a naive service that calls the network once a request (`naive_service.py`); LitServe (`peer_service.py`), in a
virtual environment of its own that is made if absent and uses the same TensorFlow; and the service of another version,
by the `pricematch` of the environment where that is installed. Clients keep their connections open, are a process of
their own and share the cores with the service. Then the service at half its rate, with requests that arrive at random,
beside the other version if there is one; the share of each stage in a request; and on demand the memory that the
service takes while it answers many more.

With `--matcher` the service decides by a matcher of hash, title and image, trained on a drawn catalogue, and requests
carry an image and its title; the naive service and LitServe, which know no titles, are left out.
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
from catalogues import Subject, jpegs, matcher_subject, subject, titles
from encode import Worker, our_way
from live import command, free_port, memory_mib, stage_seconds, started
from load import Load, put_on
from rich.console import Console
from rich.table import Table

CLIENTS = 32
HERE = Path(__file__).parent
OFFLINE, SERVICE, NAIVE, PEER, BEFORE = "offline", "the service", "naive service", "LitServe", "version before"
WANTED = {NAIVE: 1.5, BEFORE: 0.95}
SOAK_STEPS = 10
BOUNDARY = "benchmark-of-multipart"


def main() -> None:
    """Measure and print."""
    options = parse_options()
    chosen = matcher_subject() if options.matcher else subject(options.images, options.models)
    with chosen as measured, ExitStack() as stack:
        images = [path.read_bytes() for path in jpegs(measured.images)]
        port = free_port()
        process = stack.enter_context(started(command(measured, port), port))
        path = "/match?limit=10"
        if options.matcher:
            load = Load(
                port, path, forms(measured), options.requests, CLIENTS, f"multipart/form-data; boundary={BOUNDARY}"
            )
        else:
            load = Load(port, path, images, options.requests, CLIENTS)
        loads = {SERVICE: load}
        if options.before:
            port = free_port()
            stack.enter_context(started(command(measured, port, options.before), port))
            loads[BEFORE] = replace(load, port=port)
        if not options.matcher:
            loads |= others(measured, options.peer_venv, load, stack)
        for warms_up in loads.values():
            put_on(warms_up)
        offline = Worker(our_way, images, measured.models)
        rounds = []
        for number in range(1, options.rounds + 1):
            rounds.append(measured_round(loads, offline, len(images)))
            shown = ", ".join(f"{name} {rate:.1f}" for name, rate in rounds[-1].items())
            print(f"round {number} of {options.rounds}, requests a second: {shown}", flush=True)
        Console().print(rates(rounds))
        half = statistics.median(one[SERVICE] for one in rounds) / 2
        ours = {name: replace(load, rate=half) for name, load in loads.items() if name in {SERVICE, BEFORE}}
        before = {name: stage_seconds(load.port) for name, load in ours.items()}
        waits = [{name: put_on(load).percentiles(50, 99) for name, load in ours.items()} for _ in range(options.rounds)]
        Console().print(latencies(waits, half))
        requests = options.rounds * options.requests
        Console().print(
            stages({name: spent(before[name], stage_seconds(load.port), requests) for name, load in ours.items()})
        )
        if options.soak:
            Console().print(soak(replace(load, requests=options.soak // SOAK_STEPS), process))


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--matcher", action="store_true", help="decide by a trained matcher of hash, title and image")
    parser.add_argument("--before", type=Path, help="`pricematch` of an environment with another version")
    parser.add_argument("--images", type=Path, help="folder of JPEG images; a sample is drawn if absent")
    parser.add_argument("--models", type=Path, help="folder of exported models; trained for this run if absent")
    parser.add_argument("--requests", type=int, default=1500, help="for each service and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-venv", type=Path, help="where LitServe is, or is to be installed; without it if absent")
    parser.add_argument("--soak", type=int, default=0, help="requests during which memory is measured")
    options = parser.parse_args()
    if options.matcher and (options.images or options.models or options.peer_venv):
        parser.error("--matcher takes a catalogue and models of its own and knows no LitServe")
    return options


def others(measured: Subject, peer: Path | None, load: Load, stack: ExitStack) -> Mapping[str, Load]:
    """The naive service and, where it is wanted, LitServe: started, and their loads."""
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
    return found


def forms(measured: Subject) -> list[bytes]:
    """The multipart bodies of all images with their titles."""
    return [
        b"".join(
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; name={field}\r\n\r\n".encode() + content + b"\r\n"
            for field, content in (('"image"; filename="image"', path.read_bytes()), ('"title"', title.encode()))
        )
        + f"--{BOUNDARY}--\r\n".encode()
        for path, title in titles(measured)
    ]


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
    """Requests a second, everybody once."""
    found = {OFFLINE: images / offline.seconds()}
    for name, load in loads.items():
        answered = put_on(load)
        if answered.failed:
            raise RuntimeError(f"{name} did not answer {answered.failed} of {load.requests} requests with 200")
        found[name] = answered.rate
    return found


def rates(rounds: Sequence[Mapping[str, float]]) -> Table:
    """Requests a second, and the median of the rounds' ratios."""
    table = Table(title=f"Requests a second, {CLIENTS} clients, {len(rounds)} rounds")
    for column in ("", "median", "least", "most", "service / this", "wanted"):
        table.add_column(column, justify="right")
    for name in rounds[0]:
        values = [one[name] for one in rounds]
        ratio = statistics.median(one[SERVICE] / one[name] for one in rounds)
        wanted = f"{WANTED[name]:.1f}" if name in WANTED else ""
        figures = (f"{value:.0f}" for value in (statistics.median(values), min(values), max(values)))
        table.add_row(name, *figures, f"{ratio:.2f}", wanted)
    return table


def latencies(rounds: Sequence[Mapping[str, Sequence[float]]], rate: float) -> Table:
    """p50 and p99 in ms, and the median of the rounds' ratios; at most 3 is wanted."""
    table = Table(title=f"At half load: {rate:.0f} requests a second that arrive at random")
    for column in ("", "p50 ms", "p99 ms", "p99 / p50"):
        table.add_column(column, justify="right")
    for name in rounds[0]:
        p50, p99 = (statistics.median(one[name][place] for one in rounds) for place in (0, 1))
        ratio = statistics.median(one[name][1] / one[name][0] for one in rounds)
        table.add_row(name, f"{p50:.1f}", f"{p99:.1f}", f"{ratio:.1f}")
    return table


def spent(before: Mapping[str, float], after: Mapping[str, float], requests: int) -> Mapping[str, float]:
    """Milliseconds of a request in each stage, between two readings of /metrics."""
    return {stage: 1e3 * (seconds - before.get(stage, 0)) / requests for stage, seconds in after.items()}


def stages(measured: Mapping[str, Mapping[str, float]]) -> Table:
    """Mean milliseconds of a request in each stage, at half load."""
    names = list(dict.fromkeys(name for one in measured.values() for name in one))
    table = Table(title="Mean milliseconds of a request by stage, at half load")
    for column in ("", *names):
        table.add_column(column, justify="right")
    for service, one in measured.items():
        table.add_row(service, *(f"{one[name]:.2f}" if name in one else "" for name in names))
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
