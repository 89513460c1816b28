"""Layers of values against a list of values for each posting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricematch.catalogue import layers
from pricematch.catalogue.hashes import Hashes
from pricematch.catalogue.layers import (
    Layered,
    Rows,
    best_pairs,
    in_layers,
    layers_replaced,
    selected,
    values_joined,
)

Images = list[list[float]]
IMAGES = st.lists(st.lists(st.integers(0, 6).map(float), min_size=1, max_size=8), max_size=12)


def layered(images: Images) -> Layered[NDArray[np.float64]]:
    return in_layers(images, lambda some: np.array([np.nan if it is None else it for it in some]))


def lists(values: Layered[NDArray[np.float64]]) -> Images:
    """The inverse of `layered`."""
    found: Images = [[] for _ in range(len(values))]
    for layer in values.layers:
        assert (np.diff(layer.rows) > 0).all()
        for row, value in zip(layer.rows.tolist(), layer.values.tolist(), strict=True):
            found[row].append(value)
    return found


@given(IMAGES, st.data())
def test_selected_postings_keep_their_values_in_the_order_given(images: Images, data: st.DataObject) -> None:
    """Also where one is named twice; no layer is left behind the last that holds something."""
    rows = data.draw(st.lists(st.integers(0, len(images) - 1), max_size=9) if images else st.just([]))
    found = layered(images).select(np.array(rows, np.intp))
    assert lists(found) == [images[row] for row in rows]
    assert len(found.more) == max([len(images[row]) for row in rows], default=1) - 1
    assert len(selected(layered(images).more, np.array(rows, np.intp))) == len(found.more)


@given(IMAGES, IMAGES)
def test_joined_postings_stand_behind_each_other(one: Images, other: Images) -> None:
    assert lists(layered(one).joined(layered(other))) == one + other


@given(IMAGES, st.data())
def test_replaced_rows_have_the_others_values(images: Images, data: st.DataObject) -> None:
    """And new ones come behind; values of the first images are kept elsewhere."""
    rows = data.draw(st.lists(st.integers(0, len(images) + 2), unique=True, max_size=6))
    others = data.draw(st.lists(IMAGES.filter(bool).map(lambda it: it[0]), min_size=len(rows), max_size=len(rows)))
    expected = [of[1:] for of in images] + [[]] * 3
    for row, of in zip(rows, others, strict=True):
        expected[row] = of[1:]
    more = layers_replaced(layered(images).more, np.array(rows, np.intp), layered(others).more)
    assert [of[1:] for of in lists(Layered(np.zeros(len(expected)), more))] == expected
    assert len(more) == max(map(len, expected))


@given(IMAGES)
def test_values_stand_at_their_rows(images: Images) -> None:
    found = layered(images)
    pairs = sorted(zip(found.rows.tolist(), found.values.tolist(), strict=True))
    assert pairs == sorted((row, value) for row, of in enumerate(images) for value in of)


def distance(
    left: NDArray[np.float64], right: NDArray[np.float64], left_rows: Rows, right_rows: Rows
) -> NDArray[np.float32]:
    """Minus the distance of numbers; 0 has none."""
    one, other = left[left_rows], right[right_rows]
    return np.where((one == 0) | (other == 0), np.nan, -np.abs(one - other)).astype(np.float32)


@pytest.mark.parametrize("few", [0, 64])
@given(left=IMAGES.filter(bool), right=IMAGES.filter(bool), data=st.data())
def test_the_best_pair_is_that_of_all_pairs(few: int, left: Images, right: Images, data: st.DataObject) -> None:
    """Ties go to the first places of the left, then of the right; the same where the left are taken for many."""
    ends = data.draw(st.lists(st.tuples(st.integers(0, len(left) - 1), st.integers(0, len(right) - 1)), max_size=9))
    rows = np.array(ends, np.intp).reshape(-1, 2).T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "_FEW", few)
        found, places = best_pairs(layered(left), layered(right), rows[0], rows[1], distance)
    for (one, other), value, pair in zip(ends, found, places.tolist(), strict=True):
        every = [
            (abs(a - b), place, number)
            for place, a in enumerate(left[one])
            for number, b in enumerate(right[other])
            if a and b
        ]
        assert np.isnan(value) if not every else value == -min(every)[0]
        assert tuple(pair) == (min(every)[1:] if every else (0, 0))


def test_hashes_are_joined_as_arrays_are() -> None:
    one = Hashes(np.array([1, 2], np.uint64), np.array([True, False]))
    found = values_joined(one, one[np.array([0])])
    assert (found.values.tolist(), found.known.tolist()) == ([1, 2, 1], [True, False, True])
