"""Sweep the clustering methods over a labelled catalogue; write the records and a plot of F1 over eps."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.clustering.assignment import Method, cluster_by_each_method
from pricematch.evaluation.labelled import embedded, limit_setting_named, read_labelled
from pricematch.evaluation.metrics import number_groups, scores
from pricematch.formats.atomic_writes import check_folder, write_whole
from pricematch.progress import Progress
from pricematch.search.neighbours import MAX_PAIRS, radius_graph
from pricematch.settings import Settings

_STYLES: dict[str, dict[str, Any]] = {
    "dbscan": {"color": "#1b6ca8", "linewidth": 4, "marker": "o", "markersize": 9, "alpha": 0.5},
    "optics": {"color": "#c2571a", "marker": "s", "markersize": 5},
    "nearest": {"color": "#2e8b57", "marker": "^", "markersize": 6},
    "ensemble": {"color": "#5b2a86", "linestyle": "--", "marker": "D", "markersize": 4},
}
"""Methods often agree: the one drawn first is wide, the one drawn last has gaps."""


@dataclass(frozen=True, slots=True)
class SweepRecord:
    """Figures of a method at one eps (cosine distance, 0…2): means over the postings of lists of at most 50.

    `clusters` counts those it found, `noise` the postings that belong to none.
    """

    method: Method
    eps: float
    f1: float
    precision: float
    recall: float
    clusters: int
    noise: int


def sweep(
    embeddings: Embeddings,
    groups: NDArray[np.integer],
    every_eps: Sequence[float],
    min_samples: int,
    progress: Progress,
    max_pairs: int = MAX_PAIRS,
) -> list[SweepRecord]:
    """Score all methods at every eps, 0…2 each and at least one, on embeddings [n, d] of known groups [n].

    Raises LimitExceeded for more than `max_pairs` pairs, see `radius_graph`.
    """
    progress("Sweeping", 0, len(every_eps))
    graph = radius_graph(embeddings, max(every_eps), max_pairs)
    records = []
    for done, eps in enumerate(every_eps, start=1):
        found = cluster_by_each_method(graph, eps, min_samples)
        for method, clustering in found.items():
            scored = scores(clustering.lists, groups)
            means = scored.mean_f1, scored.mean_precision, scored.mean_recall
            clusters = len(clustering.assignment.members), clustering.assignment.noise
            records.append(SweepRecord(method, eps, *means, *clusters))
        progress("Sweeping", done, len(every_eps))
    return records


def best(records: Sequence[SweepRecord]) -> SweepRecord:
    """The record of the highest F1, the first of several.

    The notebook compares the wrong way round, and keeps the lowest.
    """
    return max(records, key=lambda record: record.f1)


def draw_sweep(records: Sequence[SweepRecord], postings: int) -> bytes:
    """The PNG file of a sweep's records."""
    top = best(records)
    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    title = f"{postings} postings: best mean F1 {top.f1:.3f}, {top.method} at eps {top.eps:g}"
    axes = figure.add_subplot(xlabel="eps (cosine distance)", ylabel="mean F1", title=title)
    for method in dict.fromkeys(record.method for record in records):
        line = sorted((record.eps, record.f1) for record in records if record.method == method)
        axes.plot(*zip(*line, strict=True), label=method, **_STYLES[method])
    axes.plot([top.eps], [top.f1], color="black", marker="*", markersize=14, linestyle="none", label="best")
    axes.grid(alpha=0.3)
    axes.legend()
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


@dataclass(frozen=True)
class Swept:
    """Records of a sweep, the best of them, and the numbers of postings and groups."""

    records: Sequence[SweepRecord]
    best: SweepRecord
    postings: int
    groups: int


def run(
    settings: Settings,
    embeddings: Path | None,
    every_eps: Sequence[float],
    min_samples: int,
    output: Path,
    progress: Progress,
) -> Swept:
    """Sweep, and write `sweep.json` and `sweep.png` into the folder `output`.

    Raises:
        CatalogueError: a bad row, or one without a label group.
        LimitExceeded: more pairs within the largest eps than the setting allows.
        SettingsError: the folder cannot be written to.
        PricematchError: see `embedded`.
    """
    check_folder(output)
    catalogue, rows = embedded(settings, read_labelled(settings), embeddings, progress)
    groups = number_groups([posting.label_group or "" for posting in catalogue])
    with limit_setting_named():
        records = sweep(rows, groups, every_eps, min_samples, progress, settings.max_cluster_pairs)
    found = best(records)
    described = [{**asdict(record), "best": record is found} for record in records]
    write_whole(output / "sweep.json", json.dumps(described, indent=1).encode())
    write_whole(output / "sweep.png", draw_sweep(records, len(catalogue)))
    return Swept(records, found, len(catalogue), len(set(groups.tolist())))
