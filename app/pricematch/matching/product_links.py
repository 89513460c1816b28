"""How the postings of a product hold together: what each is worth in it, and its weakest links."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array

from pricematch.clustering.bridges import bridges
from pricematch.matching.probability import ProbabilitySearch


@dataclass(frozen=True, slots=True)
class Link:
    """Two postings of a product, first < second, and the probability that both are the same."""

    first: str
    second: str
    probability: float


@dataclass(frozen=True, slots=True)
class ProductLinks:
    """How the n postings of a product hold together.

    Attributes:
        posting_ids: n, ascending.
        probabilities: float64 [n], the mean over the pairs of each posting with the others; 1 of a posting alone.
        weakest: the weakest pair that it takes to connect all, the others being the strongest that do; None of a
            posting alone, and where feedback alone holds postings together.
        bridges: pairs of the threshold or more without which it would be in two parts, ascending.
    """

    posting_ids: Sequence[str]
    probabilities: NDArray[np.float64]
    weakest: Link | None
    bridges: Sequence[Link]


def product_links(search: ProbabilitySearch, rows: NDArray[np.integer], threshold: float) -> ProductLinks:
    """How some postings hold together; pairs that are no candidates have probability 0.

    Args:
        search: over the catalogue.
        rows: of the postings, at least one.
        threshold: from which on two postings are the same.
    """
    ids = search.catalogue.ids_of(rows)
    order = sorted(range(len(ids)), key=lambda place: ids[place])
    ids, rows = [ids[place] for place in order], rows[order]
    items, left, right, probabilities = search.clusters.within(rows)
    count, sizes = len(ids), np.bincount(items)
    by_item = np.split(np.argsort(items, kind="stable"), np.cumsum(sizes)[:-1])
    first = np.array([places[0] for places in by_item])
    sums = sizes - 1.0  # equal ones are the same for sure
    np.add.at(sums, left, probabilities * sizes[right])
    np.add.at(sums, right, probabilities * sizes[left])
    means = sums[items] / (count - 1) if count > 1 else np.ones(1)

    def link(one: int, other: int, probability: float) -> Link:
        ends = sorted((ids[one], ids[other]))
        return Link(ends[0], ends[1], probability)

    found = [
        link(int(first[left[pair]]), int(first[right[pair]]), float(probabilities[pair]))
        for pair in _bridges(sizes, left, right, probabilities >= threshold)
    ]
    lonely = np.setdiff1d(
        np.flatnonzero(sizes == 2), np.concatenate([left, right])[np.tile(probabilities >= threshold, 2)]
    )
    found += [link(int(by_item[item][0]), int(by_item[item][1]), 1.0) for item in lonely]
    weakest = _weakest(len(sizes), left, right, probabilities)
    if weakest is not None:
        weak = link(int(first[left[weakest]]), int(first[right[weakest]]), float(probabilities[weakest]))
    elif len(sizes) == 1 < count:
        weak = link(0, 1, 1.0)
    else:
        weak = None
    return ProductLinks(ids, means, weak, sorted(found, key=lambda it: (it.probability, it.first, it.second)))


def _bridges(
    sizes: NDArray[np.integer], left: NDArray[np.integer], right: NDArray[np.integer], near: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Which pairs of items are bridges, of those that are near; between equal postings there is always another way."""
    pairs = np.flatnonzero(near)
    found = pairs[bridges(len(sizes), left[pairs], right[pairs])]
    alone: NDArray[np.intp] = found[(sizes[left[found]] == 1) & (sizes[right[found]] == 1)]
    return alone


def _weakest(
    count: int, left: NDArray[np.integer], right: NDArray[np.integer], probabilities: NDArray[np.float64]
) -> int | None:
    """The lowest pair of the maximum spanning tree; None where pairs of more than 0 do not connect all."""
    from scipy.sparse.csgraph import minimum_spanning_tree  # takes long to import

    some = np.flatnonzero(probabilities > 0)
    # a weight of 0 would be no edge
    weights = coo_array((2 - probabilities[some], (left[some], right[some])), shape=(count, count))
    tree = minimum_spanning_tree(weights).tocoo()
    if tree.nnz < max(1, count - 1):
        return None
    last = int(np.argmax(tree.data))
    ends = (left == tree.row[last]) & (right == tree.col[last])
    return int(np.flatnonzero(ends)[0])
