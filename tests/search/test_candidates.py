"""Candidates against sorting each query's rows in Python."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pricematch.search.candidates import NOBODY, places, stacked, top_k

PAIRS = st.dictionaries(st.tuples(st.integers(0, 4), st.integers(0, 9)), st.sampled_from([-0.5, 0.0, 0.25, 1.0]))
"""Similarity by query and row; few different ones, so that there are ties."""


def naive(pairs: dict[tuple[int, int], float], queries: int, count: int) -> list[list[tuple[int, float]]]:
    """Rows and similarities of each query, the best first, padded."""
    found = []
    for query in range(queries):
        best = sorted((-similarity, row) for (other, row), similarity in pairs.items() if other == query)[:count]
        own = [(row, -negative) for negative, row in best]
        found.append(own + [(NOBODY, -np.inf)] * (count - len(own)))
    return found


@given(PAIRS, st.integers(0, 6), st.randoms(use_true_random=False))
def test_top_k(pairs: dict[tuple[int, int], float], count: int, random: "np.random.Generator") -> None:
    """Each query has its best rows, ties by the lower row."""
    shuffled = list(pairs.items())
    random.shuffle(shuffled)
    query = np.array([key[0] for key, _ in shuffled], np.intp)
    row = np.array([key[1] for key, _ in shuffled], np.intp)
    found = top_k(query, row, np.array([value for _, value in shuffled], float), 5, count)
    assert len(found) == 5
    assert found.rows.shape == found.similarities.shape == (5, count)
    expected = naive(pairs, 5, count)
    assert found.rows.tolist() == [[row for row, _ in one] for one in expected]
    assert found.similarities.tolist() == [[similarity for _, similarity in one] for one in expected]


def test_stacked_blocks() -> None:
    """Blocks are stacked in order, and no blocks are no queries."""
    one = top_k(np.array([0]), np.array([3]), np.array([0.5]), 1, 2)
    other = top_k(np.array([1]), np.array([4]), np.array([0.25]), 2, 2)
    both = stacked([one, other], 2)
    assert both.rows.tolist() == [[3, NOBODY], [NOBODY, NOBODY], [4, NOBODY]]
    assert both.similarities.tolist() == [[0.5, -np.inf], [-np.inf, -np.inf], [0.25, -np.inf]]
    assert stacked([], 2).rows.shape == (0, 2)


def test_places() -> None:
    """Places are those of np.nonzero."""
    mask = np.random.default_rng(0).random((7, 5)) < 0.3
    for found, expected in zip(places(mask), np.nonzero(mask), strict=True):
        np.testing.assert_array_equal(found, expected)
