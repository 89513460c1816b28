"""How fast do JPEG bytes become embeddings, beside TensorFlow and beside what a core can compute at most?

    python benchmarks/encode.py [--encoders cnn autoencoder] [--images DIR] [--models DIR] [--rounds N] [--isa ISA]

For each encoder, in turn and on the same images and models: decoding alone, the network alone and both in one core;
and the offline verb on all cores, which is `embed_postings` from when the network is loaded. TensorFlow runs the same
SavedModels with their weights as constants, 32 images at a time; around it the offline verb is the same. The floating
point operations of a network are counted by TensorFlow's profiler of its graph, and the peak of a core is measured (see
`processor.peak_gflops`) in float32, so that bfloat16 may exceed it. `--isa AVX2` simulates a processor without more.
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from catalogues import ENCODERS, Subject, subject
from encoding_ways import Worker, offline_verb, one_core, tensorflow_offline, tensorflow_one_core
from processor import described, lesser
from rich.console import Console
from rich.table import Table

from pricematch.catalogue.features import Embeddings

DECODING, NETWORK, TOGETHER, OFFLINE = "decode", "network", "together", "offline"
ROWS = {
    DECODING: "decoding, one core",
    NETWORK: "network, one core",
    TOGETHER: "both, one core",
    OFFLINE: "offline verb, all cores",
}
AIMED = {NETWORK: "", TOGETHER: "", OFFLINE: "3.0"}
LIMIT_AIMED = 0.5


def main() -> None:
    """Measure and print."""
    options = parse_options()
    console = Console()
    with subject(options.images, options.models, options.encoders) as measured, lesser(options.isa):
        for encoder in options.encoders:
            console.print(table_of(measured, encoder, options.rounds, described(options.isa)))


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--encoders", nargs="+", choices=ENCODERS, default=ENCODERS)
    parser.add_argument("--images", type=Path, help="folder of JPEG images; a sample is drawn if absent")
    parser.add_argument("--models", type=Path, help="folder of exported models; trained for this run if absent")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--isa", help="let networks take the processor for one with no more than this, such as AVX2")
    return parser.parse_args()


def table_of(measured: Subject, encoder: str, rounds: int, processor: str) -> Table:
    """Images a second, ours and TensorFlow's, and the share of the arithmetic limit."""
    with TemporaryDirectory() as scratch:
        arguments = measured, encoder, Path(scratch)
        ours = {**dict.fromkeys((DECODING, NETWORK, TOGETHER), Worker(one_core, *arguments))}
        ours[OFFLINE] = Worker(offline_verb, *arguments)
        theirs = dict.fromkeys((NETWORK, TOGETHER), Worker(tensorflow_one_core, *arguments))
        theirs[OFFLINE] = Worker(tensorflow_offline, *arguments)
        found, peaks = list[Mapping[str, tuple[float, float | None]]](), list[float]()
        for _ in range(rounds):
            peaks.append(float(ours[NETWORK].ask("peak")))
            found.append({row: (ours[row].rate(row), _rate(theirs, row)) for row in ROWS})
        runtimes = str(ours[NETWORK].ask("runtimes"))
        flop = float(theirs[NETWORK].ask("flop"))
        agreement = cosines(ours[NETWORK].ask("embeddings"), theirs[NETWORK].ask("embeddings"))
    table = Table(title=f"{encoder}: images a second, median of {rounds} rounds", caption_justify="left")
    for column in ("", "ours", "TensorFlow", "ours / TensorFlow", "aimed at"):
        table.add_column(column, justify="right")
    for row, what in ROWS.items():
        table.add_row(what, *_cells([one[row] for one in found]), AIMED.get(row, ""))
    shares = [one[NETWORK][0] * flop / 1e9 / peak for one, peak in zip(found, peaks, strict=True)]
    peak = statistics.median(peaks)
    table.caption = (
        f"{processor}\n{runtimes}: {flop / 1e6:.0f} MFLOP an image; peak of a core: {peak:.0f} GFLOP/s in float32; "
        f"arithmetic limit: {1e9 * peak / flop:.0f} images a second, of which ours reaches "
        f"{statistics.median(shares):.2f} ({LIMIT_AIMED} aimed at)\n"
        f"cosine of ours and TensorFlow's: at least {agreement.min():.6f}"
    )
    return table


def cosines(ours: Embeddings, theirs: Embeddings) -> Embeddings:
    """Cosine [n] between the two embeddings of each image."""
    return np.asarray(np.sum(ours * theirs, axis=1, dtype=np.float64), np.float32)


def _rate(workers: Mapping[str, Worker], row: str) -> float | None:
    return workers[row].rate(row) if row in workers else None


def _cells(rates: Sequence[tuple[float, float | None]]) -> list[str]:
    """Medians of ours and theirs, and of their ratios; empty where there is no other."""
    ours = f"{statistics.median(mine for mine, _ in rates):.0f}"
    pairs = [(mine, other) for mine, other in rates if other is not None]
    if not pairs:
        return [ours, "", ""]
    other = statistics.median(other for _, other in pairs)
    return [ours, f"{other:.0f}", f"{statistics.median(mine / other for mine, other in pairs):.2f}"]


if __name__ == "__main__":
    main()
