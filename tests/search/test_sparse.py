"""Search among sparse rows, against all cosines."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.search import sparse as module
from pricematch.search.candidates import NOBODY, Candidates
from pricematch.search.sparse import SparseIndex, cosines, reduced, runs_of, shared_values

MATRICES = st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 2**32 - 1))


def unit_rows(rows: int, seed: int) -> csr_array:
    """Rows of few small values, so that many are equal or empty."""
    values = np.random.default_rng(seed).integers(0, 2, (rows, 4)).astype(np.float64)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return csr_array(np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0).astype(np.float32))


def check(found: Candidates, cosine: NDArray[np.float64], count: int) -> None:
    """Each query has the highest values above 0, equal ones by row."""
    assert found.rows.shape == (len(cosine), count)
    for query, values in enumerate(cosine):
        expected = sorted((-round(float(value), 5), row) for row, value in enumerate(values) if value > 0)[:count]
        rows = found.rows[query][found.rows[query] != NOBODY]
        assert rows.tolist() == [row for _, row in expected]
        np.testing.assert_allclose(found.similarities[query][: len(rows)], [-value for value, _ in expected], atol=1e-5)
        assert (found.similarities[query][len(rows) :] == -np.inf).all()


@pytest.mark.slow
@pytest.mark.parametrize("block", [1, 10, 1 << 22])
@given(sizes=MATRICES, count=st.integers(0, 4))
def test_nearest_rows(sizes: tuple[int, int, int], count: int, block: int) -> None:
    """The nearest have the highest cosine above 0, in blocks of any size."""
    n, m, seed = sizes
    vectors, queries = unit_rows(n, seed), unit_rows(m, seed + 1)
    dense = vectors.toarray().astype(np.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_VALUES", block)
        index = SparseIndex(vectors)
        check(index.nearest(queries, count), queries.toarray() @ dense.T, count)
        others = dense @ dense.T
        np.fill_diagonal(others, 0)
        check(index.nearest_others(count), others, count)


@pytest.mark.slow
@pytest.mark.parametrize(("block", "few"), [(1, 0), (1 << 16, 0), (1 << 16, 64)])
@given(sizes=MATRICES)
def test_cosines_of_pairs(sizes: tuple[int, int, int], block: int, few: int) -> None:
    """Cosines of pairs are those of their rows, whether the left ones are runs of few rows or not."""
    n, m, seed = sizes
    left, right = unit_rows(n, seed), unit_rows(m, seed + 1)
    left_rows, right_rows = (part.ravel() for part in np.meshgrid(np.arange(n), np.arange(m)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_PAIRS", block)
        patch.setattr(module, "_FEW_RUNS", few)
        found = cosines(left, left_rows, right, right_rows)
    np.testing.assert_allclose(found, (left.toarray() @ right.toarray().T)[left_rows, right_rows], atol=1e-6)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()


def test_equal_rows_have_cosine_one() -> None:
    """Equal rows have a cosine of exactly 1."""
    values = np.full((2, 3), 1 / np.sqrt(3), np.float32)
    index = SparseIndex(csr_array(values))
    assert index.nearest_others(1).similarities.tolist() == [[1], [1]]
    assert cosines(index.vectors, np.array([0]), index.vectors, np.array([1])).tolist() == [1]


def test_rows_that_are_gone_are_no_candidates() -> None:
    """Only rows that are alive may be candidates."""
    index = SparseIndex(unit_rows(7, 3))
    queries, alive = unit_rows(5, 4), np.arange(7) % 3 != 0
    dense = queries.toarray() @ index.vectors.toarray().T
    check(index.nearest(queries, 4, alive), np.where(alive, dense, 0), 4)


@pytest.mark.parametrize(
    ("rows", "expected"), [([], []), ([3], [(0, 1)]), ([3, 3, 1, 3], [(0, 2), (2, 3), (3, 4)]), (range(9), None)]
)
def test_runs_of_equal_rows(rows: Sequence[int], expected: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, unless they are many."""
    monkeypatch.setattr(module, "_FEW_RUNS", 4)
    runs = runs_of(np.array(rows, np.intp))
    assert (runs if runs is None else [(run.start, run.stop) for run in runs]) == expected


@given(sizes=MATRICES)
def test_shared_values_are_those_of_both_rows(sizes: tuple[int, int, int]) -> None:
    """Columns in which both rows have a value, pair by pair, reduced to 0 where there are none."""
    n, m, seed = sizes
    left, right = unit_rows(n + 1, seed), unit_rows(m + 1, seed + 1)
    rows = np.random.default_rng(seed).integers(0, m + 1, m)
    starts, ours, theirs = shared_values(left, n, right, rows)
    one, other = left.toarray()[n], right.toarray()[rows]
    both = (one > 0) & (other > 0)
    assert np.diff(starts).tolist() == both.sum(axis=1).tolist()
    np.testing.assert_array_equal(ours, np.broadcast_to(one, other.shape)[both])
    np.testing.assert_array_equal(theirs, other[both])
    np.testing.assert_array_equal(reduced(np.maximum, theirs, starts), (other * both).max(axis=1, initial=0))
