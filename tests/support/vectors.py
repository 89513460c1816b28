"""Embeddings to compare algorithms on."""

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.features import Embeddings, unit_rows
from pricematch.search.neighbours import NeighbourGraph

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
