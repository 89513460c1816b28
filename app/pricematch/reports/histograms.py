"""Histograms of one quantity."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

_BARS = 60
_FEW = 8
_COLOUR = "#2f6db3"


def histogram(values: NDArray[np.number], quantity: str, counted: str) -> Figure:
    """How often each value occurs, whole numbers one bar each where there is room.

    Args:
        values: [n], n ≥ 1, whole numbers.
        quantity: what the values are, written below.
        counted: what there are n of, written beside.
    """
    low, high = int(values.min()), int(values.max())
    step = (high - low) // _BARS + 1
    edges = np.arange(low, high + step + 1, step) - 0.5
    figure = _drawn(values, edges, quantity, counted)
    [axes] = figure.axes
    room = max(0, _FEW - (high - low)) / 2  # so that a single bar is none as wide as the figure
    axes.set_xlim(max(edges[0] - room, -0.5), edges[-1] + room)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    return figure


def log_histogram(values: NDArray[np.number], quantity: str, counted: str) -> Figure:
    """How often values of many magnitudes occur: each bar spans the same ratio.

    Args:
        values: [n], n ≥ 1, above 0.
        quantity: what the values are, written below.
        counted: what there are n of, written beside.
    """
    low, high = values.min() / 1.1, values.max() * 1.1
    figure = _drawn(values, np.geomspace(low, high, _BARS + 1), quantity, counted)
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
    axes.stairs(counts, edges, fill=True, color=_COLOUR)
    axes.set(xlabel=quantity, ylabel=counted)
    if counts.max() > 50 * np.median(counts[counts > 0]):
        axes.set_yscale("log")  # a few high bars would leave the others invisible
        axes.set_ylim(bottom=0.7)
    else:
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.spines[["top", "right"]].set_visible(False)
    return figure
