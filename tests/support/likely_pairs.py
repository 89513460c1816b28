"""Pairs with probabilities to try clusterings on, and what is known of them posting by posting."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TypeAlias

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Pair: TypeAlias = tuple[int, int]
Arrays: TypeAlias = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]
Partition: TypeAlias = frozenset[frozenset[int]]

EIGHTHS = st.integers(0, 8).map(lambda eighth: eighth / 8)
"""Probabilities that tie often."""


@st.composite
def likely_pairs(draw: st.DrawFn, largest: int = 9) -> tuple[int, dict[Pair, float]]:
    """A number of postings, and the probabilities of some of their pairs; those of others are not listed."""
    count = draw(st.integers(1, largest))
    pairs = list(combinations(range(count), 2))
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    values = EIGHTHS | st.floats(0, 1)
    return count, {pair: draw(values) for pair in chosen}


def arrays(probabilities: Mapping[Pair, float]) -> Arrays:
    """Pairs as average linkage takes them."""
    lines, rows = [pair[0] for pair in probabilities], [pair[1] for pair in probabilities]
    return np.array(lines, np.int32), np.array(rows, np.int32), np.array(list(probabilities.values()), float)


def parts(labels: NDArray[np.intp]) -> Partition:
    """Labels as sets; each posting that is alone is a set of its own."""
    alone = [frozenset([row]) for row in np.flatnonzero(labels < 0).tolist()]
    numbers = range(labels.max(initial=-1) + 1)
    return frozenset([*alone, *(frozenset(np.flatnonzero(labels == number).tolist()) for number in numbers)])


def every_pair(*cliques: Sequence[int], probability: float) -> dict[Pair, float]:
    """All pairs within each clique."""
    return {pair: probability for clique in cliques for pair in combinations(clique, 2)}
