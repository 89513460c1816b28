"""Unit rows from whatever a network answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from pricematch.catalogue.embeddings import unit_rows
from pricematch.errors import ModelOutputError

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=5), elements=FLOATS))
def test_every_row_with_a_direction_gets_length_one_and_keeps_its_direction(values: NDArray[np.float32]) -> None:
    values[~values.any(axis=1), 0] = 1
    unit = unit_rows(values, values.shape[1])
    assert unit.dtype == np.float32
    assert unit.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    exact = values.astype(np.float64)
    cosine = (unit * exact).sum(axis=1) / np.linalg.norm(exact, axis=1)
    np.testing.assert_allclose(cosine, 1, atol=1e-6)


def test_integers_are_scaled_as_well() -> None:
    np.testing.assert_allclose(unit_rows([[3, 4], [0, -2]], 2), [[0.6, 0.8], [0.0, -1.0]], atol=1e-7)


def test_no_rows_stay_no_rows() -> None:
    assert unit_rows(np.empty((0, 3)), 3).shape == (0, 3)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 3, 1), ()])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelOutputError, match=r"expected embeddings of shape \[n, 3\]"):
        unit_rows(np.ones(shape), 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ModelOutputError, match="finite"):
        unit_rows([[1.0, 0.0], [1.0, bad]], 2)


def test_a_row_of_zeros_is_refused() -> None:
    with pytest.raises(ModelOutputError, match="direction"):
        unit_rows([[1, 0], [0, 0]], 2)
