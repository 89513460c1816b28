"""Searches by outlines, against those that read every row."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings
from pricematch.search import dense, outlines
from pricematch.search.dense import DenseIndex
from pricematch.search.outlines import ROUNDING, Outline

ROWS, DIMENSION = 300, 120


def flat(rows: int, directions: int, seed: int = 0) -> Embeddings:
    """Rows near a few directions, some of them equal, some of zeros, lengths of 1 but for the rounding."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, directions)) @ rng.normal(size=(directions, DIMENSION))
    values += 0.2 * np.sqrt(directions) * rng.normal(size=values.shape)
    values[rows // 2 : rows // 2 + 40] = values[0]
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    values[::17] = 0
    return values.astype(np.float32)


@pytest.fixture(autouse=True)
def few_rows_have_outlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlines, "FEWEST_ROWS", 1)


def unit(queries: Embeddings) -> NDArray[np.float64]:
    exact = queries.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    return exact


@pytest.mark.parametrize("directions", [1, 3, 20])
def test_bounds_are_no_lower_than_cosines(directions: int) -> None:
    """Of queries among the rows and of such as lie elsewhere; and most of them are not far above."""
    rows = flat(ROWS, directions)
    outline = Outline.of(rows)
    assert outline is not None
    assert outline.rows.shape[1] <= DIMENSION / 3
    queries = unit(np.concatenate([rows[1:9], flat(9, 5, seed=3)[1:]]))
    for place, query in enumerate(queries):
        bounds, cosine = outline.bounds(query), rows.astype(np.float64) @ query
        assert (bounds >= cosine - ROUNDING).all()
        if place < 8:
            assert np.median(bounds - cosine) < 0.2


@pytest.mark.parametrize("most_read", [1, 4, 10**9])
@pytest.mark.parametrize("count", [0, 1, 10, 100, 1000])
def test_the_nearest_are_those_of_all_rows(count: int, most_read: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit, with ties, rows that are gone, and queries of zeros; however many rows the bounds leave."""
    monkeypatch.setattr(dense, "_MOST_READ", most_read)
    rows = flat(ROWS, 3)
    queries = np.concatenate([rows[:3], flat(3, 3, seed=1)])
    for alive in (None, np.arange(ROWS) % 3 > 0, np.arange(ROWS) < 2, np.zeros(ROWS, np.bool_)):
        found = DenseIndex(rows).nearest(queries, count, alive)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dense, "_FEW_QUERIES", 0)
            expected = DenseIndex(rows).nearest(queries, count, alive)
        np.testing.assert_array_equal(found.rows, expected.rows)
        np.testing.assert_array_equal(found.similarities, expected.similarities)


def test_rows_of_many_directions_have_none() -> None:
    """Nor have few rows, and short ones."""
    noise = np.random.default_rng(0).normal(size=(ROWS, DIMENSION)).astype(np.float32)
    assert Outline.of(noise) is None
    assert Outline.of(flat(ROWS, 3)[:, :60]) is None
    assert Outline.of(np.zeros((0, DIMENSION), np.float32)) is None
