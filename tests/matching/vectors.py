"""Embeddings to compare algorithms on."""

import numpy as np

from app.matching.embeddings import Embeddings, unit_rows


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


def radius_in_a_gap(embeddings: Embeddings, share: float) -> float:
    """A radius that about `share` of the pairs are within, and no distance is so near to that rounding decides."""
    exact = embeddings.astype(np.float64)
    distances = np.sort((1 - exact @ exact.T)[np.triu_indices(len(exact), k=1)])
    candidates = np.concatenate([[0.0], distances, [2.0]]).clip(0, 2)
    gaps = np.flatnonzero(np.diff(candidates) > 1e-5)
    gap = gaps[np.argmin(np.abs(gaps - share * len(distances)))]
    return float(candidates[gap] + candidates[gap + 1]) / 2
