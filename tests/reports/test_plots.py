"""Histograms of one quantity."""

import io
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from pricematch.reports.plots import histogram, log_histogram


def bars(figure: Figure) -> tuple[Any, Any]:
    """Height and edges of the bars."""
    [axes] = figure.axes
    [patch] = [patch for patch in axes.patches if isinstance(patch, StepPatch)]
    heights, edges, _ = patch.get_data()
    return heights, edges


def draw(figure: Figure) -> None:
    figure.savefig(io.BytesIO(), format="svg")


@pytest.mark.parametrize("values", [[1], [7, 7, 7], [1, 2, 2, 60], [0, 3]])
def test_small_ranges_have_a_bar_for_each_whole_number(values: list[int]) -> None:
    heights, edges = bars(histogram(np.array(values), "postings", "groups"))
    assert heights.tolist() == [values.count(number) for number in range(min(values), max(values) + 1)]
    assert edges.tolist() == [number - 0.5 for number in range(min(values), max(values) + 2)]


@pytest.mark.parametrize("high", [61, 119, 120, 1000, 12_345_678])
def test_wide_ranges_have_at_most_sixty_bars_that_count_every_value(high: int) -> None:
    values = np.random.default_rng(0).integers(1, high, 500)
    values[0], values[1] = 1, high
    figure = histogram(values, "characters", "titles")
    heights, edges = bars(figure)
    assert heights.sum() == len(values)
    assert len(heights) <= 60
    assert edges[0] < 1
    assert edges[-1] > high
    draw(figure)


@pytest.mark.parametrize("values", [[1.0], [512.0, 512.0], [0.25, 1, 4], [0.001, 10_000]])
def test_magnitudes_have_bars_of_equal_ratio_that_count_every_value(values: list[float]) -> None:
    figure = log_histogram(np.array(values), "KiB", "pictures")
    heights, edges = bars(figure)
    assert heights.sum() == len(values)
    np.testing.assert_allclose(edges[1:] / edges[:-1], edges[1] / edges[0])
    assert figure.axes[0].get_xscale() == "log"
    draw(figure)


def test_axes_say_what_is_counted() -> None:
    [axes] = histogram(np.array([1, 2]), "postings in a group", "groups").axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("postings in a group", "groups")


def test_a_few_high_bars_do_not_hide_the_others() -> None:
    even, steep = np.arange(1, 11), np.repeat(np.arange(1, 11), [5000, 50, 2, 2, 2, 2, 1, 1, 1, 1])
    assert histogram(even, "postings", "groups").axes[0].get_yscale() == "linear"
    assert histogram(steep, "postings", "groups").axes[0].get_yscale() == "log"


@pytest.mark.parametrize("most", [1, 2, 13])
def test_counts_are_whole_numbers(most: int) -> None:
    [axes] = histogram(np.repeat([1, 2], [most, 1]), "postings", "groups").axes
    assert all(tick == int(tick) for tick in axes.get_yticks())


def test_one_value_is_a_bar_not_a_wall() -> None:
    for value in (1, 512):
        left, right = histogram(np.array([value]), "pixels", "pictures").axes[0].get_xlim()
        assert right - left > 4
        assert left >= -0.5
