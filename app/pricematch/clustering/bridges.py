"""Bridges of a graph: edges without which two parts of it are not connected any more.

Tarjan: A Note on Finding the Bridges of a Graph, 1974. In time linear in the edges.
"""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

_NOT_YET = -1


def bridges(count: int, left: NDArray[np.integer], right: NDArray[np.integer]) -> NDArray[np.intp]:
    """The positions of those edges that are bridges, ascending.

    Args:
        count: of nodes.
        left: [m], one end of each edge.
        right: [m], the other end; no pair twice, in either direction, none of a node and itself.

    >>> bridges(5, np.array([0, 1, 2, 3]), np.array([1, 2, 0, 4])).tolist()
    [3]
    """
    edges = defaultdict[int, list[tuple[int, int]]](list)
    for edge, (one, other) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
        edges[one].append((other, edge))
        edges[other].append((one, edge))
    reached, lowest = [_NOT_YET] * count, [0] * count
    found, clock = list[int](), 0
    for root in range(count):
        if reached[root] != _NOT_YET:
            continue
        reached[root] = lowest[root] = clock
        clock += 1
        path = [(root, _NOT_YET, iter(edges[root]))]
        while path:
            node, by, waiting = path[-1]
            for other, edge in waiting:
                if edge == by:
                    continue
                if reached[other] == _NOT_YET:
                    reached[other] = lowest[other] = clock
                    clock += 1
                    path.append((other, edge, iter(edges[other])))
                    break
                lowest[node] = min(lowest[node], reached[other])
            else:
                path.pop()
                if path:
                    before = path[-1][0]
                    lowest[before] = min(lowest[before], lowest[node])
                    if lowest[node] > reached[before]:
                        found.append(by)
    return np.array(sorted(found), np.intp)
