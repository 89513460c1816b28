"""The ξ method against scikit-learn's, on plots of every shape."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pricematch.clustering.optics import Ordering
from pricematch.clustering.xi import xi_labels

HEIGHTS = st.sampled_from([0.0, 0.001, 0.00102, 0.002, 0.004, 0.0041, 0.008, np.inf])


@st.composite
def orderings(draw: st.DrawFn) -> Ordering:
    """Any plot of up to 40 rows, first infinite, each row reached from any row before it."""
    count = draw(st.integers(1, 40))
    heights = np.array([np.inf, *draw(st.lists(HEIGHTS, min_size=count - 1, max_size=count - 1))])
    order = np.array(draw(st.permutations(range(count))), np.intp)
    predecessors, reachability = np.full(count, -1, np.intp), np.empty(count)
    reachability[order] = heights
    for place in range(1, count):
        if np.isfinite(heights[place]):
            predecessors[order[place]] = order[draw(st.integers(0, place - 1))]
    return Ordering(order, reachability, np.zeros(count), predecessors)


@pytest.mark.filterwarnings("ignore:divide by zero")  # scikit-learn's
@settings(max_examples=1500)
@given(orderings(), st.sampled_from([1, 2, 3, 5]), st.sampled_from([0.05, 0.2, 0.5]))
def test_labels_are_those_of_scikit_learn(ordering: Ordering, min_samples: int, xi: float) -> None:
    from sklearn.cluster import _optics  # the public function takes no min_samples of 1

    plot, led = ordering.reachability[ordering.order], ordering.predecessors[ordering.order]
    clusters = _optics._xi_cluster(plot, led, ordering.order, xi, min_samples, min_samples, True)
    expected = _optics._extract_xi_labels(ordering.order, clusters)
    assert xi_labels(ordering, min_samples, xi).tolist() == expected.tolist()


def test_two_valleys_are_two_clusters_and_what_stands_alone_is_noise() -> None:
    reachability = np.array([np.inf, 0.1, 0.1, np.inf, np.inf, 0.1, 0.1])
    ordering = Ordering(np.arange(7), reachability, np.zeros(7), np.array([-1, 0, 0, -1, -1, 4, 4]))
    assert xi_labels(ordering, 2).tolist() == [0, 0, 0, -1, 1, 1, 1]


def test_nothing_has_no_labels() -> None:
    nothing = np.empty(0, np.intp)
    assert xi_labels(Ordering(nothing, np.empty(0), np.empty(0), nothing), 2).tolist() == []
