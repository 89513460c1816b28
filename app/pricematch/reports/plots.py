"""Plots of evaluations and explorations, as matplotlib figures."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator, StrMethodFormatter
from numpy.typing import NDArray

from pricematch.evaluation.breakdown import SizeClass
from pricematch.evaluation.curves import Curve, shown_curve
from pricematch.evaluation.matcher_evaluation import MatchedSize
from pricematch.evaluation.reliability import Reliability
from pricematch.evaluation.signal_evaluation import SizePoint
from pricematch.evaluation.signals import HAMMING, MEASURES, shown
from pricematch.pairs.image_retrievers import MAX_DISTANCE

Plot: TypeAlias = Figure
_F1, _PRECISION, _RECALL, _OTHER = "#2f6db3", "#1b7f4b", "#c2571a", "#8a93a1"
_SAME, _DIFFERENT = "#1b7f4b", "#b3261e"
_LINES = ("#2f6db3", "#c2571a", "#1b7f4b", "#1c2430", "#8a93a1")
_POINTS, _BARS = 400, 50


def curve_plot(signal: str, curve: Curve, together: Curve | None, threshold: float) -> Figure:
    """F1, precision and recall over the threshold of a signal alone; the threshold picked for it is marked.

    `together` is its curve while the other signals stay at their thresholds, None where there are none.
    """
    figure, axes = _axes(f"threshold: {MEASURES[signal]}", "mean over postings")
    part = shown_curve(signal, curve, _POINTS)
    steps = _shown(signal, part.similarities)
    style: Any = {"drawstyle": "steps-post"} if MEASURES[signal] == HAMMING else {}
    axes.plot(steps, part.f1, color=_F1, label="F1", linewidth=2, **style)
    axes.plot(steps, part.precision, color=_PRECISION, label="precision", **style)
    axes.plot(steps, part.recall, color=_RECALL, label="recall", **style)
    if together is not None:
        f1 = together.at(part.similarities).f1
        axes.plot(steps, f1, color=_F1, linestyle=":", label="F1 with the other signals", **style)
    if np.isfinite(threshold):
        axes.axvline(_shown(signal, np.array([threshold]))[0], color=_OTHER, linestyle="--", linewidth=1)
    axes.set_ylim(0, 1.02)
    axes.legend(fontsize="small")
    return figure


def similarity_plot(signal: str, similarities: NDArray[np.float64], right: NDArray[np.bool_]) -> Figure:
    """How many of a signal's candidate pairs [m] are how similar: those of one group (`right`), and the others."""
    figure, axes = _axes(MEASURES[signal].split(",")[0], "candidate pairs")
    values = _shown(signal, similarities)
    whole = MEASURES[signal] == HAMMING
    edges = np.arange(MAX_DISTANCE + 2) - 0.5 if whole else np.linspace(values.min(initial=0.9), 1, _BARS + 1)
    for chosen, colour, label in ((~right, _DIFFERENT, "different groups"), (right, _SAME, "same group")):
        counts, _ = np.histogram(values[chosen], edges)
        axes.stairs(counts, edges, color=colour, fill=True, alpha=0.35)
        axes.stairs(counts, edges, color=colour, label=label)
    if whole:
        axes.set_xticks(range(0, MAX_DISTANCE + 1, 2))
    if len(values):
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7)
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.legend(fontsize="small")
    return figure


def recall_plot(recalls: Mapping[str, Mapping[int, float]]) -> Figure:
    """Recall@k of each signal, by its name."""
    figure, axes = _axes("k candidates", "recall@k")
    for colour, (name, recall) in zip(_LINES, recalls.items(), strict=False):
        axes.plot(list(recall), list(recall.values()), color=colour, marker="o", markersize=4, label=name)
    axes.set_xticks(list(next(iter(recalls.values()))))
    axes.set_ylim(0, 1.02)
    axes.legend(fontsize="small")
    return figure


def group_size_plot(classes: Sequence[SizeClass]) -> Figure:
    """F1 by the size of a posting's group."""
    figure, axes = _axes("postings of the group", "mean F1")
    bars = axes.bar([size_name(part) for part in classes], [part.f1 for part in classes], color=_F1, width=0.7)
    axes.bar_label(bars, [f"{part.f1:.2f}" for part in classes], fontsize="small")
    axes.set_ylim(0, 1.12)
    axes.set_yticks(np.linspace(0, 1, 6))
    return figure


def catalogue_size_plot(points: Sequence[SizePoint]) -> Figure:
    """F1 by the size of the catalogue, at the best thresholds of each and at those of the whole."""
    best, fixed = [point.f1 for point in points], [point.f1_at_thresholds for point in points]
    lines = {"thresholds picked at that size": best, "thresholds of the whole catalogue": fixed}
    return _size_plot([point.postings for point in points], lines)


def reliability_plot(found: Reliability) -> Figure:
    """The share of right pairs among those of about one probability, over the probability."""
    figure, axes = _axes("probability", "share that is right")
    axes.plot([0, 1], [0, 1], color=_OTHER, linestyle="--", linewidth=1, label="perfectly calibrated")
    axes.plot(
        found.probabilities, found.shares, color=_F1, marker="o", label="candidates, weighted by evaluated postings"
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.legend(fontsize="small")
    return figure


def matched_size_plot(points: Sequence[MatchedSize]) -> Figure:
    """F1 of a matcher by the size of the catalogue, at the stored thresholds of each and at those of the whole."""
    stored, fixed = [point.f1 for point in points], [point.f1_fixed for point in points]
    lines = {"the threshold stored for that size": stored, "the threshold of the whole catalogue": fixed}
    return _size_plot([point.postings for point in points], lines)


def size_name(part: SizeClass) -> str:
    """`2`, `5–9`, `51 or more`."""
    if part.largest is None:
        return f"{part.smallest} or more"
    return str(part.smallest) if part.smallest == part.largest else f"{part.smallest}–{part.largest}"


def _size_plot(sizes: Sequence[int], lines: Mapping[str, Sequence[float]]) -> Figure:
    """Two lines of F1 over the size of a catalogue, by their names."""
    figure, axes = _axes("postings of the catalogue", "mean F1")
    styles: Sequence[Any] = ({"color": _F1, "marker": "o"}, {"color": _OTHER, "marker": "s", "linestyle": "--"})
    for style, (label, values) in zip(styles, lines.items(), strict=True):
        axes.plot(sizes, values, label=label, **style)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=30)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(max(0, min(value for values in lines.values() for value in values) - 0.1), 1.02)
    axes.legend(fontsize="small")
    return figure


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.6, 3.3), layout="constrained")
    axes = figure.add_subplot(xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    return figure, axes


def _shown(signal: str, similarities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Finite similarities as people are shown them."""
    return np.array([shown(signal, value) for value in similarities], np.float64)


_HISTOGRAM_BARS = 60
_FEW = 8


def histogram(values: NDArray[np.number], quantity: str, counted: str) -> Figure:
    """How often whole numbers [n], n ≥ 1, occur, one bar each where there is room; labels of the x and the y axis."""
    low, high = int(values.min()), int(values.max())
    step = (high - low) // _HISTOGRAM_BARS + 1
    edges = np.arange(low, high + step + 1, step) - 0.5
    figure = _drawn(values, edges, quantity, counted)
    [axes] = figure.axes
    room = max(0, _FEW - (high - low)) / 2  # so that a single bar is none as wide as the figure
    axes.set_xlim(max(edges[0] - room, -0.5), edges[-1] + room)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    return figure


def log_histogram(values: NDArray[np.number], quantity: str, counted: str) -> Figure:
    """How often values [n] above 0 of many magnitudes occur: each bar spans one ratio; labels as for `histogram`."""
    low, high = values.min() / 1.1, values.max() * 1.1
    figure = _drawn(values, np.geomspace(low, high, _HISTOGRAM_BARS + 1), quantity, counted)
    [axes] = figure.axes
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4) if high < 10 * low else axes.xaxis.get_major_locator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    return figure


def _drawn(values: NDArray[np.number], edges: NDArray[np.floating], quantity: str, counted: str) -> Figure:
    counts, _ = np.histogram(values, edges)
    figure = Figure(figsize=(5.6, 2.7), layout="constrained")
    axes = figure.add_subplot()
    axes.stairs(counts, edges, fill=True, color=_F1)
    axes.set(xlabel=quantity, ylabel=counted)
    if counts.max() > 50 * np.median(counts[counts > 0]):
        axes.set_yscale("log")  # a few high bars would leave the others invisible
        axes.set_ylim(bottom=0.7)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.spines[["top", "right"]].set_visible(False)
    return figure
