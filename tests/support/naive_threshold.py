"""The mean F1 that similarity alone has at a threshold, and the best there is, from lists made anew each time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pricematch.search.candidates import MAX_MEMBERS
from tests.support.labelled import naive_scores

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
