"""Clusters from probabilities of pairs, each with a figure of how well it holds together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.clustering.assignment import Assignment, divided
from pricematch.clustering.average_linkage import SCALE, average_linkage, fixed


@dataclass(frozen=True, eq=False)
class CohesiveClusters:
    """Clusters of two postings or more, and their cohesion.

    Attributes:
        assignment: each posting is in one cluster or alone (−1).
        cohesion: float64 [clusters], see `cohesion`; at least the threshold they were found at.
    """

    assignment: Assignment
    cohesion: NDArray[np.float64]


def cohesive_clusters(
    lines: NDArray[np.int32],
    rows: NDArray[np.int32],
    probabilities: NDArray[np.float64],
    ranks: NDArray[np.integer],
    threshold: float,
    decided: NDArray[np.int8] | None = None,
) -> CohesiveClusters:
    """Clusters by average linkage at a threshold; see `average_linkage` for the arguments and what holds of ties.

    A threshold above 1, which no probability reaches, leaves every posting alone that nobody has decided on.
    """
    decided = np.zeros(len(lines), np.int8) if decided is None else decided
    if threshold > 1:
        together = decided > 0
        lines, rows = lines[together], rows[together]
        probabilities, decided = probabilities[together], decided[together]
    labels = average_linkage(lines, rows, probabilities, ranks, min(threshold, 1), decided).labels(min(threshold, 1))
    return CohesiveClusters(divided(labels), cohesion(labels, lines, rows, probabilities))


def cohesion(
    labels: NDArray[np.intp], lines: NDArray[np.int32], rows: NDArray[np.int32], probabilities: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The mean probability of all pairs within each cluster; a pair that is not listed counts 0.

    So it is the share of its pairs that a cluster is expected to have right. Sums are exact, to 2⁻³⁰ a pair.

    Args:
        labels: [n], clusters from 0, none empty, each of two postings at least; −1 is a posting alone.
        lines: [m], as for `average_linkage`, like
        rows: [m] and
        probabilities: [m].

    Returns:
        float64 [clusters], 0 to 1.

    >>> lines, rows, probabilities = np.array([0, 1]), np.array([1, 2]), np.array([0.5, 1.0])
    >>> cohesion(np.array([0, 0, 0]), lines, rows, probabilities).tolist()
    [0.5]
    """
    sizes = np.bincount(labels[labels >= 0])
    inner = (labels[lines] == labels[rows]) & (labels[lines] >= 0)
    sums = np.zeros(len(sizes), np.int64)
    np.add.at(sums, labels[lines[inner]], fixed(probabilities[inner]))
    return sums / (sizes * (sizes - 1) // 2 * SCALE)
