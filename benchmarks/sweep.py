"""How fast is the notebook's whole sweep, beside scikit-learn's?

    python benchmarks/sweep.py [--n 4000 8000 16000] [--growth 32000 64000 100000] [--embeddings X.npy] [--dimension D]

Both sweep the same embeddings in the same run: DBSCAN, OPTICS and the 50 nearest neighbours for eps 0.001 to 0.008, and
the ensemble of the three; and it counts the postings that the two label differently. scikit-learn takes most of the
time: half a minute at 4,000 postings, five at 16,000. `--growth` shows how ours alone grows. Without --embeddings,
postings are drawn around the directions of their groups, sizes and distances spread as a marketplace's are.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from pricematch.catalogue.features import Embeddings, unit_rows
from pricematch.clustering.assignment import cluster_by_each_method
from pricematch.search.candidates import Lists, lists_of_labels, longest, prefixes
from pricematch.search.neighbours import radius_graph

EVERY_EPS = [round(0.001 * step, 3) for step in range(1, 9)]
MIN_SAMPLES = 2


@dataclass(frozen=True)
class Swept:
    """One way's sweep: seconds, pairs within the largest eps, and per eps and method the list of each posting."""

    seconds: float
    pairs: int
    lists: dict[tuple[float, str], Lists]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--n", type=int, nargs="*", default=[4000, 8000, 16000], help="postings, both ways")
    parser.add_argument("--growth", type=int, nargs="*", default=[32000, 64000, 100_000], help="postings, ours alone")
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--embeddings", type=Path, help="float32 [n, d] to take instead; the first n rows each time")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    given = None if options.embeddings is None else np.load(options.embeddings, allow_pickle=False)

    table = Table(title="The whole sweep: 8 eps × 3 methods + ensemble", title_justify="left")
    for column in ("postings", "pairs", "ours, s", "scikit-learn, s", "ratio", "labelled differently"):
        table.add_column(column, justify="right")
    for n in [*options.n, *options.growth]:
        embeddings = (
            drawn(n, options.dimension, options.seed) if given is None else unit_rows(given[:n], given.shape[1])
        )
        ours = our_sweep(embeddings)
        row = [f"{n:,}", f"{ours.pairs:,}", f"{ours.seconds:.2f}"]
        if n in options.n:
            theirs = their_sweep(embeddings)
            row += [f"{theirs.seconds:.1f}", f"{theirs.seconds / ours.seconds:.0f}", differences(ours, theirs)]
        table.add_row(*row)
    Console().print(table)


def drawn(n: int, dimension: int, seed: int) -> Embeddings:
    """Embeddings [n, dimension] of groups of 2 to 50, most of them small, from tight to hardly recognisable."""
    rng = np.random.default_rng(seed)
    sizes = np.minimum(1 + rng.zipf(2.0, n), 50)
    group = np.repeat(np.arange(n), sizes)[:n]
    centres = rng.standard_normal((n, dimension))
    spread = rng.uniform(0.01, 0.15, (n, 1))[group]
    return unit_rows(centres[group] + spread * rng.standard_normal((n, dimension)), dimension)


def our_sweep(embeddings: Embeddings) -> Swept:
    """One graph, and everything from it."""
    started = time.perf_counter()
    graph = radius_graph(embeddings, max(EVERY_EPS))
    found = {eps: cluster_by_each_method(graph, eps, MIN_SAMPLES) for eps in EVERY_EPS}
    seconds = time.perf_counter() - started
    lists = {(eps, str(method)): answer.lists for eps, by in found.items() for method, answer in by.items()}
    return Swept(seconds, len(graph.rows), lists)


def their_sweep(embeddings: Embeddings) -> Swept:
    """As the notebook does; the neighbours, which do not depend on eps, are found once."""
    from sklearn.cluster import DBSCAN, OPTICS
    from sklearn.neighbors import NearestNeighbors

    DBSCAN(eps=1, metric="cosine").fit(embeddings[:10])  # whatever is loaded late
    started = time.perf_counter()
    lists: dict[tuple[float, str], Lists] = {}
    neighbours = NearestNeighbors(n_neighbors=min(50, len(embeddings)), metric="cosine").fit(embeddings)
    distances, rows = neighbours.kneighbors(embeddings)
    for eps in track(EVERY_EPS, f"scikit-learn, {len(embeddings):,} postings", transient=True):
        dbscan = DBSCAN(eps=eps, min_samples=MIN_SAMPLES, metric="cosine").fit(embeddings)
        optics = OPTICS(max_eps=eps, min_samples=MIN_SAMPLES, metric="cosine").fit(embeddings)
        lists[eps, "dbscan"] = lists_of_labels(dbscan.labels_)
        lists[eps, "optics"] = lists_of_labels(optics.labels_)
        lists[eps, "nearest"] = nearer(distances, rows, eps)
        lists[eps, "ensemble"] = longest(lists[eps, "dbscan"], lists[eps, "nearest"], lists[eps, "optics"])
    return Swept(time.perf_counter() - started, 0, lists)


def nearer(distances: NDArray[np.float32], rows: NDArray[np.intp], eps: float) -> Lists:
    """Lists of the neighbours below eps."""
    sizes = np.maximum((distances < eps).sum(axis=1), 1)
    return prefixes(np.arange(len(rows)) * rows.shape[1], sizes, rows.ravel().astype(np.int32))


def differences(ours: Swept, theirs: Swept) -> str:
    """Postings whose list holds others, by method, over all eps."""
    found: dict[str, int] = {}
    for (eps, method), lists in ours.lists.items():
        count = differing(lists, theirs.lists[eps, method])
        found[method] = found.get(method, 0) + count
    total = len(ours.lists) // len(found) * len(lists)
    return ", ".join(f"{method} {count}" for method, count in found.items()) + f" of {total:,}"


def differing(ours: Lists, theirs: Lists) -> int:
    """How many rows have lists of other members."""
    sets: Sequence[tuple[NDArray[np.int32], NDArray[np.int32]]] = [(ours[row], theirs[row]) for row in range(len(ours))]
    return sum(not np.array_equal(np.sort(one), np.sort(other)) for one, other in sets)


if __name__ == "__main__":
    main()
