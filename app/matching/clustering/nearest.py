"""The notebook's nearest neighbours as an assignment: every item belongs to the crowd that its own list names."""

import numpy as np
from numpy.typing import NDArray

from app.matching.clustering.dbscan import NOISE
from app.matching.neighbours import NeighbourGraph

MAX_MEMBERS = 50


def nearest_lists(graph: NeighbourGraph, eps: float) -> list[NDArray[np.int32]]:
    """Per row the rows closer than `eps`, ascending by row: at most the 50 nearest, itself always included.

    Equal distances at the cut of 50 are settled by ascending row.
    """
    return [_nearest(graph, row, eps) for row in range(len(graph))]


def _nearest(graph: NeighbourGraph, row: int, eps: float) -> NDArray[np.int32]:
    rows, distances = graph.neighbours(row)
    close = (distances < np.float32(eps)) | (rows == row)
    rows, distances = rows[close], distances[close]
    if len(rows) > MAX_MEMBERS:
        rows = rows[np.lexsort((rows, distances, rows != row))[:MAX_MEMBERS]]
    return np.sort(rows)


def nearest(graph: NeighbourGraph, eps: float) -> tuple[NDArray[np.intp], list[NDArray[np.int32]]]:
    """Assign each row to the cluster of exactly those rows that its own list holds.

    Unlike a partition, clusters may overlap: A may be near B and B near C without A being near C. Rows with equal
    lists share one cluster.

    Returns:
        labels intp [n], clusters numbered by the first row that is assigned to them, −1 where a row is near no other;
        and per cluster its member rows, ascending.
    """
    labels = np.full(len(graph), NOISE, np.intp)
    numbers: dict[bytes, int] = {}
    members: list[NDArray[np.int32]] = []
    for row, rows in enumerate(nearest_lists(graph, eps)):
        if len(rows) == 1:
            continue
        number = numbers.setdefault(rows.tobytes(), len(members))
        if number == len(members):
            members.append(rows)
        labels[row] = number
    return labels, members
