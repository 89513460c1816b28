"""Graph features, against loops over a dense matrix."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricematch.pairs.graph_features import (
    GRAPH_FEATURES,
    LEAST,
    ProbabilityRows,
    graph_features,
    probability_matrix,
)

VALUES = st.sampled_from([0.0, LEAST / 2, LEAST, 0.25, 0.5, 0.5 + 2**-20, 0.75, 1.0])
Pairs = tuple[int, list[tuple[int, int]], NDArray[np.float64]]


@st.composite
def catalogues(draw: st.DrawFn) -> Pairs:
    """Some unordered pairs of a few postings, with probabilities that tie, are 0, 1 or too low to keep."""
    count = draw(st.integers(2, 7))
    every = [(line, row) for line in range(count) for row in range(line + 1, count)]
    pairs = draw(st.lists(st.sampled_from(every), unique=True, min_size=1))
    chances = draw(st.lists(VALUES | st.floats(0, 1), min_size=len(pairs), max_size=len(pairs)))
    return count, pairs, np.array(chances)


def ends(pairs: list[tuple[int, int]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    table = np.array(pairs, np.intp).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities to 24 bits."""
    return np.round(values * 2**24) / 2**24


def rows_of(pairs: list[tuple[int, int]], chances: NDArray[np.float64], count: int) -> ProbabilityRows:
    return ProbabilityRows.of(probability_matrix(*ends(pairs), chances, count))


def dense(count: int, pairs: list[tuple[int, int]], chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix of what is kept, with zeros on its diagonal."""
    matrix = np.zeros((count, count))
    for (line, row), chance in zip(pairs, rounded(chances), strict=True):
        if chance >= LEAST:
            matrix[line, row] = matrix[row, line] = chance
    return matrix


def naive(matrix: NDArray[np.float64], line: int, row: int, chance: float) -> list[float]:
    """The features of one pair, one after the other."""
    first = float(rounded(np.array([chance]))[0])
    kept = matrix[line, row]
    one, other = matrix[line], matrix[row]
    whole, opposite = one.copy(), other.copy()
    whole[line] = opposite[row] = 1
    products = [one[k] * other[k] for k in range(len(matrix)) if k not in (line, row)]
    paths = sum(products)
    found = [
        first,
        paths,
        float(whole @ opposite / np.sqrt((whole**2).sum() * (opposite**2).sum())),
        float(np.minimum(whole, opposite).sum() / np.maximum(whole, opposite).sum()),
        max(products, default=0.0),
    ]
    for low_high in (
        [one.sum(), other.sum()],
        [one.max(), other.max()],
        [first / max(one.max(), 1e-3), first / max(other.max(), 1e-3)],
        [paths / max(one.sum() - kept, 1e-2), paths / max(other.sum() - kept, 1e-2)],
        [(one > 0.5).sum(), (other > 0.5).sum()],
        [(one > first).sum(), (other > first).sum()],
    ):
        found += sorted(map(float, low_high))
    return found


@settings(deadline=None)
@given(catalogues())
def test_every_feature_is_that_of_the_dense_matrix(drawn: Pairs) -> None:
    """Pair by pair, one feature after the other."""
    count, pairs, chances = drawn
    found = graph_features(rows_of(pairs, chances, count), *ends(pairs), chances)
    matrix = dense(count, pairs, chances)
    expected = [naive(matrix, *pair, chance) for pair, chance in zip(pairs, chances, strict=True)]
    assert found.shape == (len(pairs), len(GRAPH_FEATURES))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@settings(deadline=None)
@given(catalogues())
def test_both_orders_of_a_pair_are_equal(drawn: Pairs) -> None:
    """Left and right may be exchanged."""
    count, pairs, chances = drawn
    left, right = ends(pairs)
    rows = rows_of(pairs, chances, count)
    one, other = (graph_features(rows, *sides, chances) for sides in ((left, right), (right, left)))
    np.testing.assert_allclose(one, other, rtol=1e-6)


@settings(deadline=None)
@given(catalogues())
def test_rows_of_the_ends_suffice(drawn: Pairs) -> None:
    """Features made of some rows of the matrix are those made of all."""
    count, pairs, chances = drawn
    left, right = ends(pairs[:1])
    wanted = np.unique([left, right])
    some = ProbabilityRows.of(probability_matrix(*ends(pairs), chances, count)[wanted])
    np.testing.assert_array_equal(
        graph_features(some, np.searchsorted(wanted, left), np.searchsorted(wanted, right), chances[:1]),
        graph_features(rows_of(pairs, chances, count), left, right, chances[:1]),
    )


def test_a_low_probability_is_not_kept_and_still_ranked() -> None:
    """What is below `LEAST` is no entry of the matrix, but has a rank among those that are."""
    pairs, chances = [(0, 1), (0, 2)], np.array([0.9, LEAST / 2])
    rows = rows_of(pairs, chances, 3)
    found = dict(zip(GRAPH_FEATURES, graph_features(rows, *ends(pairs[1:]), chances[1:])[0], strict=True))
    assert rows.matrix.nnz == 2
    assert found["first"] == np.float32(round(LEAST / 2 * 2**24) / 2**24)
    assert (found["rank_low"], found["rank_high"]) == (0, 1)  # row 2 is empty, row 0 has 0.9 above it
    assert (found["sum_low"], found["best_low"], found["sure_low"]) == (0, 0, 0)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_no_pairs_have_no_features(count: int) -> None:
    """An empty matrix has sums and maxima of 0."""
    rows = rows_of([], np.empty(0), count)
    assert rows.sums.tolist() == rows.best.tolist() == [0] * count
    assert graph_features(rows, *ends([]), np.empty(0)).shape == (0, len(GRAPH_FEATURES))
