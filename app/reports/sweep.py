"""The picture of a sweep: F1 over eps, one line a method."""

import io
from collections.abc import Sequence

from matplotlib.figure import Figure

from app.matching.clustering.sweep import SweepRecord, best

_STYLES = {
    "dbscan": ("#1b6ca8", "o"),
    "optics": ("#c2571a", "s"),
    "nearest": ("#2e8b57", "^"),
    "ensemble": ("#7b3fa0", "D"),
}


def draw_sweep(records: Sequence[SweepRecord]) -> bytes:
    """The PNG file of a sweep's records."""
    figure = Figure(figsize=(8, 5), dpi=120, layout="constrained")
    axes = figure.add_subplot(xlabel="eps (cosine distance)", ylabel="mean F1", title="Mean F1 over eps")
    for method in dict.fromkeys(record.method for record in records):
        line = sorted((record.eps, record.f1) for record in records if record.method == method)
        colour, marker = _STYLES[method]
        axes.plot(*zip(*line, strict=True), color=colour, marker=marker, markersize=5, label=method, alpha=0.85)
    top = best(records)
    axes.annotate(
        f"best: {top.method}, eps {top.eps:g}, F1 {top.f1:.3f}",
        (top.eps, top.f1),
        xytext=(0, 14),
        textcoords="offset points",
        ha="center",
        fontweight="bold",
    )
    axes.margins(y=0.15)
    axes.grid(alpha=0.3)
    axes.legend()
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
