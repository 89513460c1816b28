"""Search among sparse rows, against all cosines."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.search import sparse as module
from pricematch.search.candidates import NOBODY, Candidates
from pricematch.search.sparse import VectorIndex, cosines

MATRICES = st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 2**32 - 1))


def unit_rows(rows: int, seed: int) -> csr_array:
    """Rows of few small values, so that many are equal or empty."""
    values = np.random.default_rng(seed).integers(0, 2, (rows, 4)).astype(np.float64)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return csr_array(np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0).astype(np.float32))


def check(found: Candidates, cosine: NDArray[np.float64], count: int) -> None:
    """Each line has the highest values above 0, equal ones by row."""
    assert found.rows.shape == (len(cosine), count)
    for line, values in enumerate(cosine):
        expected = sorted((-round(float(value), 5), row) for row, value in enumerate(values) if value > 0)[:count]
        rows = found.rows[line][found.rows[line] != NOBODY]
        assert rows.tolist() == [row for _, row in expected]
        np.testing.assert_allclose(found.similarities[line][: len(rows)], [-value for value, _ in expected], atol=1e-5)
        assert (found.similarities[line][len(rows) :] == -np.inf).all()


@pytest.mark.parametrize("block", [1, 10, 1 << 22])
@given(sizes=MATRICES, count=st.integers(0, 4))
def test_the_nearest_are_those_of_the_highest_cosine_above_zero(
    sizes: tuple[int, int, int], count: int, block: int
) -> None:
    n, m, seed = sizes
    vectors, queries = unit_rows(n, seed), unit_rows(m, seed + 1)
    dense = vectors.toarray().astype(np.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_VALUES", block)
        index = VectorIndex(vectors)
        check(index.nearest(queries, count), queries.toarray() @ dense.T, count)
        others = dense @ dense.T
        np.fill_diagonal(others, 0)
        check(index.nearest_others(count), others, count)


@pytest.mark.parametrize("block", [1, 1 << 16])
@given(sizes=MATRICES)
def test_cosines_of_pairs_are_those_of_their_rows(sizes: tuple[int, int, int], block: int) -> None:
    n, m, seed = sizes
    left, right = unit_rows(n, seed), unit_rows(m, seed + 1)
    lines, rows = (part.ravel() for part in np.meshgrid(np.arange(n), np.arange(m)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK_PAIRS", block)
        found = cosines(left, lines, right, rows)
    np.testing.assert_allclose(found, (left.toarray() @ right.toarray().T)[lines, rows], atol=1e-6)
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()


def test_equal_rows_are_at_a_cosine_of_exactly_one() -> None:
    values = np.full((2, 3), 1 / np.sqrt(3), np.float32)
    index = VectorIndex(csr_array(values))
    assert index.nearest_others(1).similarities.tolist() == [[1], [1]]
    assert index.similarities(np.array([0]), np.array([1])).tolist() == [1]
