"""What neighbours say of a pair, against loops over a dense matrix."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricematch.pairs.graph_features import (
    AGREEMENT,
    LEAST,
    agreement,
    probability_rows,
    rounded,
    symmetric_rows,
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
    count, pairs, chances = drawn
    graph = symmetric_rows(*ends(pairs), chances, count)
    found = agreement(graph, graph, *ends(pairs), chances)
    matrix = dense(count, pairs, chances)
    expected = [naive(matrix, *pair, chance) for pair, chance in zip(pairs, chances, strict=True)]
    assert found.shape == (len(pairs), len(AGREEMENT))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@settings(deadline=None)
@given(catalogues())
def test_a_pair_says_the_same_from_both_sides(drawn: Pairs) -> None:
    count, pairs, chances = drawn
    lines, rows = ends(pairs)
    graph = symmetric_rows(lines, rows, chances, count)
    one, other = (agreement(graph, graph, *sides, chances) for sides in ((lines, rows), (rows, lines)))
    np.testing.assert_allclose(one, other, rtol=1e-6)


@settings(deadline=None)
@given(catalogues())
def test_a_new_posting_has_the_features_it_has_as_one_of_the_catalogue(drawn: Pairs) -> None:
    count, pairs, chances = drawn
    newest = count - 1
    lines, rows = ends(pairs)
    new = rows == newest
    whole = symmetric_rows(lines, rows, chances, count)
    stored = symmetric_rows(lines[~new], rows[~new], chances[~new], newest)
    zeros = np.zeros(int(new.sum()), np.intp)
    asked = probability_rows(zeros, lines[new], chances[new], (1, newest))
    np.testing.assert_allclose(
        agreement(asked, stored, zeros, lines[new], chances[new]),
        agreement(whole, whole, rows[new], lines[new], chances[new]),
        rtol=1e-5,
    )


def test_what_is_below_the_least_is_not_kept_and_still_ranked() -> None:
    graph = symmetric_rows(np.array([0, 0]), np.array([1, 2]), np.array([0.9, LEAST / 2]), 3)
    found = dict(zip(AGREEMENT, agreement(graph, graph, *ends([(0, 2)]), np.array([LEAST / 2]))[0], strict=True))
    assert graph.matrix.nnz == 2
    assert found["first"] == np.float32(round(LEAST / 2 * 2**24) / 2**24)
    assert (found["rank_low"], found["rank_high"]) == (0, 1)  # row 2 is empty, row 0 has 0.9 above it
    assert (found["sum_low"], found["best_low"], found["sure_low"]) == (0, 0, 0)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_without_pairs_there_is_nothing_to_say(count: int) -> None:
    none, chances = np.empty(0, np.intp), np.empty(0)
    graph = symmetric_rows(none, none, chances, count)
    assert graph.sums.tolist() == graph.best.tolist() == [0] * count
    assert agreement(graph, graph, none, none, chances).shape == (0, len(AGREEMENT))
