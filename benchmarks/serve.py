"""How many requests of /match does the service answer, and how soon, beside what users would write themselves?

    python benchmarks/serve.py [--encoders cnn autoencoder] [--postings 300 17000] [--queries both image title]
                               [--clients 1 8 32] [--seconds N] [--rounds N] [--lesser ISA] [--peer-venv DIR]
                               [--folder DIR]

The service decides by a trained matcher of hash, title and image, over catalogues of the drawn sample and, where they
have more postings than that, of drawn titles and mixed features (see `drawn_postings.py`). Clients send image, title or
both as another seller would post them, keep their connections open, are a process of their own and share the cores with
the service; what the service could keep of a request for the next equal one is off. Beside it, in one run and in turn,
are a naive service (`naive_service.py`) and LitServe (`peer_service.py`; its environment is made where
there is none), which decode, hash, encode by TensorFlow, search by scikit-learn. The first of the queries, by the
most clients, is measured in rounds, beside the offline verb of `encode.py` as well, and then with each service at half
its own rate, by requests that arrive at random.

Where the processor has AVX-512, or with `--lesser ISA`, those first queries are measured once more with networks that
take it for a lesser one. A folder that is named keeps catalogues and models, so that the next run need not make them.
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from catalogues import DRAWN, ENCODERS, drawn_sample
from encoding_ways import Worker, offline_verb
from processor import described, lesser, lesser_of_this
from rich.console import Console
from serve_tables import OFFLINE, Round, grid, latencies, rates, stages
from served_catalogues import QUERIES, Served, queries, served
from services import PEER, SERVICE, Answered, Running, running_services

AIMED_AT = "both", 17_000
AIMED = {"cnn": {OFFLINE: 0.6, PEER: 2.0}, "autoencoder": {OFFLINE: 0.35, PEER: 2.0}}
"""The service's rate as a multiple of others', for that query and that many postings."""
_WARM_SECONDS = 2.0


def main() -> None:
    """Measure and print."""
    options = parse_options()
    with TemporaryDirectory() as scratch:
        sample = drawn_sample(options.folder or Path(scratch) / "sample", options.sample)
        for encoder in options.encoders:
            for postings in options.postings:
                catalogue = served(sample, encoder, postings)
                for isa in dict.fromkeys((None, options.lesser)):
                    measure(catalogue, isa, options)


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=ENCODERS)
    parser.add_argument("--postings", nargs="+", type=int, default=[300, 17_000], help="sizes of catalogues")
    parser.add_argument("--sample", type=int, default=DRAWN, help="postings whose images are drawn")
    parser.add_argument("--queries", nargs="+", choices=QUERIES, default=list(QUERIES))
    parser.add_argument("--clients", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=4, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of the first of the queries, by the most clients")
    parser.add_argument("--lesser", default=lesser_of_this(), help="the most that networks then take: AVX2, …")
    parser.add_argument("--peer-venv", type=Path, help="where LitServe is, or is to be installed; without it if absent")
    parser.add_argument("--folder", type=Path, help="keeps what is made ready; a temporary one if absent")
    return parser.parse_args()


def measure(catalogue: Served, isa: str | None, options: argparse.Namespace) -> None:
    """Start all services over a catalogue, measure, and print tables."""
    console, query, most = Console(width=120), options.queries[0], max(options.clients)
    what = f"{catalogue.encoder}, {catalogue.postings:,} postings"
    with ExitStack() as stack, lesser(isa):
        services = running_services(catalogue, queries(catalogue.sample), options.peer_venv, stack)
        scratch = Path(stack.enter_context(TemporaryDirectory()))
        offline = Worker(offline_verb, catalogue.sample, catalogue.encoder, scratch)
        for service in services.values():
            service.answered(query, most, _WARM_SECONDS)
        first: list[Round] = []
        for _ in range(options.rounds):
            asked = {name: service.answered(query, most, options.seconds) for name, service in services.items()}
            first.append(Round(offline.rate(OFFLINE), asked))
        memory = {name: service.memory_mib() for name, service in services.items()}
        aimed = AIMED[catalogue.encoder] if (query, catalogue.postings) == AIMED_AT else {}
        console.print(rates(f"{what}: {query}, {most} clients", first, memory, aimed, described(isa)))
        half = half_load(services, first, query, options)
        console.print(latencies(f"{what}: {query} at half load", half))
        console.print(stages(f"{what}: {query} at half load", [one.stages for one in half[SERVICE]]))
        if isa is None:
            found = {
                (name, clients): {
                    it: service.answered(name, clients, options.seconds) for it, service in services.items()
                }
                for name in options.queries
                for clients in sorted(options.clients)
            }
            console.print(grid(what, found, described(isa)))


def half_load(
    services: Mapping[str, Running], rounds: Sequence[Round], query: str, options: argparse.Namespace
) -> Mapping[str, list[Answered]]:
    """Each service at half its own rate, in turn, for three times as long as a measurement otherwise."""
    rate = {name: statistics.median(one.answered[name].measured.rate for one in rounds) / 2 for name in services}
    asked = [
        {
            name: it.answered(query, max(options.clients), 3 * options.seconds, rate[name])
            for name, it in services.items()
        }
        for _ in rounds
    ]
    return {name: [one[name] for one in asked] for name in services}


if __name__ == "__main__":
    main()
