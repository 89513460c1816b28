"""The picture of a sweep: F1 over eps, one line a method."""

import io
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from pricematch.evaluation.clustering_sweep import SweepRecord, best

_STYLES: dict[str, dict[str, Any]] = {
    "dbscan": {"color": "#1b6ca8", "linewidth": 4, "marker": "o", "markersize": 9, "alpha": 0.5},
    "optics": {"color": "#c2571a", "marker": "s", "markersize": 5},
    "nearest": {"color": "#2e8b57", "marker": "^", "markersize": 6},
    "ensemble": {"color": "#5b2a86", "linestyle": "--", "marker": "D", "markersize": 4},
}
"""Methods often agree: the one drawn first is wide, the one drawn last has gaps."""


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
