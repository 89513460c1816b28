"""Bridges, against taking every edge away in turn."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pricematch.clustering.bridges import bridges

NODES = 8
EDGES = st.lists(st.sampled_from(list(itertools.combinations(range(NODES), 2))), unique=True)


def parts(edges: list[tuple[int, int]]) -> int:
    left, right = np.array(edges, np.intp).reshape(-1, 2).T
    return int(connected_components(coo_array((np.ones(len(edges)), (left, right)), shape=(NODES, NODES)))[0])


@given(EDGES)
def test_without_a_bridge_there_is_one_part_more(edges: list[tuple[int, int]]) -> None:
    left, right = np.array(edges, np.intp).reshape(-1, 2).T
    expected = [place for place in range(len(edges)) if parts(edges[:place] + edges[place + 1 :]) > parts(edges)]
    assert bridges(NODES, left, right).tolist() == expected


def test_a_long_chain_is_all_bridges() -> None:
    """Deeper than functions may call themselves."""
    ends = np.arange(5000)
    assert len(bridges(5001, ends, ends + 1)) == 5000
