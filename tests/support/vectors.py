"""Embeddings and pairs to compare algorithms on, and the naive best threshold of embeddings."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TypeAlias

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, unit_rows
from pricematch.search.candidates import MAX_MEMBERS
from pricematch.search.neighbours import NeighbourGraph
from tests.support.catalogues import naive_scores

STEP = 2 / 1024
"""Distances in a lattice are multiples of it."""


def scattered(count: int, dimension: int = 8, seed: int = 0) -> Embeddings:
    """Rows in random directions."""
    return unit_rows(np.random.default_rng(seed).standard_normal((count, dimension)), dimension)


def clustered(count: int, dimension: int = 8, seed: int = 0) -> Embeddings:
    """Rows around a few directions, with some stragglers."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(1, count // 8), dimension))
    spread = np.where(rng.random((count, 1)) < 0.8, 0.15, 1.0)
    chosen = centres[rng.integers(len(centres), size=count)]
    return unit_rows(chosen + spread * rng.standard_normal((count, dimension)), dimension)


def duplicated(count: int, dimension: int = 8, seed: int = 0) -> Embeddings:
    """Rows drawn from a third as many, so that most occur more than once."""
    rng = np.random.default_rng(seed)
    pool = scattered(max(1, count // 3), dimension, seed)
    return np.ascontiguousarray(pool[rng.integers(len(pool), size=count)])


def collinear(count: int, dimension: int = 8, seed: int = 0) -> Embeddings:
    """Rows along an arc, most of them at equal steps."""
    rng = np.random.default_rng(seed)
    angle = 0.04 * np.arange(count) + np.where(rng.random(count) < 0.2, rng.uniform(0, 0.02, count), 0)
    rows = np.zeros((count, dimension))
    rows[:, 0], rows[:, 1] = np.cos(angle), np.sin(angle)
    return unit_rows(rng.permutation(rows), dimension)


def lattice(count: int, dimension: int = 1024, seed: int = 0) -> Embeddings:
    """Rows of ±1/32 around a few directions, whose products are exact in any order of summation.

    Distances are multiples of `STEP`, so that ties are everywhere and rounding decides none of them.
    """
    rng = np.random.default_rng(seed)
    centres = rng.choice([-1, 1], (max(1, count // 12), dimension))
    signs = centres[rng.integers(len(centres), size=count)]
    for row, flips in enumerate(rng.integers(0, 4, count)):
        signs[row, rng.choice(dimension, flips, replace=False)] *= -1
    return unit_rows(signs, dimension)


def exact_distances(embeddings: Embeddings) -> NDArray[np.float64]:
    """All cosine distances [n, n], pair by pair in float64, rounded to 15 decimals."""
    rows = embeddings.astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    distances = np.array([[1 - sum(map(float, one * other)) for other in rows] for one in rows]).reshape(len(rows), -1)
    np.fill_diagonal(distances, 0)
    return distances.clip(0, 2).round(15)


def matrix_of(graph: NeighbourGraph) -> NDArray[np.float64]:
    """The distances [n, n] a graph holds; 2 where it holds none."""
    matrix = np.full((len(graph), len(graph)), 2.0)
    matrix[graph.lines(), graph.rows] = graph.distances
    return matrix


def radius_in_a_gap(embeddings: Embeddings, share: float) -> float:
    """A radius that about `share` of the pairs are within, and no distance is so near to that rounding decides."""
    exact = embeddings.astype(np.float64)
    distances = np.sort((1 - exact @ exact.T)[np.triu_indices(len(exact), k=1)])
    candidates = np.concatenate([[0.0], distances, [2.0]]).clip(0, 2)
    gaps = np.flatnonzero(np.diff(candidates) > 1e-5)
    gap = gaps[np.argmin(np.abs(gaps - share * len(distances)))]
    return float(candidates[gap] + candidates[gap + 1]) / 2


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


CLOSE = 5e-7
"""Cosines that differ by less are one similarity."""


def naive_f1(
    embeddings: NDArray[np.float32], labels: Sequence[str | None], evaluated: Sequence[str], threshold: float
) -> float:
    """Over the postings of the judged groups; who has no label is alone."""
    return _f1(naive_cosines(embeddings), labels, evaluated, threshold)


def naive_best(embeddings: NDArray[np.float32], labels: Sequence[str | None], evaluated: Sequence[str]) -> float:
    """The highest of all thresholds in −1…1: each similarity, and above all."""
    cosines = naive_cosines(embeddings)
    pairs = cosines[np.triu_indices(len(embeddings), 1)]
    tried = {float(cosine) - CLOSE for cosine in np.round(pairs, 6)}
    if (highest := float(pairs.max())) < 1 - 2 * CLOSE:
        tried.add((1 + highest) / 2)
    return max(_f1(cosines, labels, evaluated, threshold) for threshold in tried)


def _f1(
    cosines: NDArray[np.float64], labels: Sequence[str | None], evaluated: Sequence[str], threshold: float
) -> float:
    lists = []
    for row, line in enumerate(cosines.tolist()):
        found = [other for other in range(len(line)) if other != row and line[other] >= threshold]
        lists.append([row, *sorted(found, key=lambda other: (-line[other], other))[: MAX_MEMBERS - 1]])
    groups = [f"alone {row}" if label is None else label for row, label in enumerate(labels)]
    scores = [score[0] for score, label in zip(naive_scores(lists, groups), labels, strict=True) if label in evaluated]
    return sum(scores) / len(scores)


def naive_cosines(embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of all pairs of rows, [n, n]."""
    rows = embeddings.astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.array([[float(one @ other) for other in rows] for one in rows])
