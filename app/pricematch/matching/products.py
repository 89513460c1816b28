"""The partition of a catalogue into products: clusters by probability whose numbers outlast changes of the catalogue.

After a change only those clusters are computed anew that it can have reached, and the partition is the same as if all
were: clusters never reach beyond what pairs of the threshold or more, and must-links, connect.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.postings import Catalogue
from pricematch.catalogue.products import ProductChange, repartitioned
from pricematch.clustering.average_linkage import CohesiveClusters
from pricematch.matching.probability import ProbabilitySearch
from pricematch.matching.probability_clusters import LEAST_MEAN

NO_PRODUCT = 0


@dataclass(frozen=True, eq=False)
class Partition:
    """Which product each posting of a catalogue is of. Immutable.

    Attributes:
        numbers: int64 [span], by row; `NO_PRODUCT` where its posting is gone.
        doubts: float64 [span], of the product of each row, 0 to 1: 1 − its cohesion; 0 of a posting alone.
        threshold: the average probability that products hold together with; it stays until all are clustered anew.
    """

    numbers: NDArray[np.int64]
    doubts: NDArray[np.float64]
    threshold: float

    def rows_of(self, numbers: NDArray[np.integer] | Sequence[int]) -> NDArray[np.intp]:
        """The rows of some products' members, ascending."""
        return np.flatnonzero(np.isin(self.numbers, numbers))

    def members(self, catalogue: Catalogue, rows: NDArray[np.integer]) -> dict[int, list[str]]:
        """By their numbers, those members of products whose postings are in some rows."""
        found = defaultdict[int, list[str]](list)
        for number, posting_id in zip(self.numbers[rows].tolist(), catalogue.ids_of(rows), strict=True):
            found[number].append(posting_id)
        return found


def clustered(search: ProbabilitySearch) -> Partition:
    """The partition of a whole catalogue into products that have no lasting numbers yet."""
    threshold = max(search.rule(None, None).thresholds.match, LEAST_MEAN)
    nothing = _grown(Partition(np.zeros(0, np.int64), np.zeros(0), threshold), search.catalogue.alive)
    return _placed(nothing, search.catalogue, search.catalogue.by_id, search.clusters.all(threshold), {}, 1)[0]


def renumbered(
    partition: Partition, catalogue: Catalogue, members: Mapping[str, int], first: int
) -> tuple[Partition, Sequence[ProductChange]]:
    """A partition whose products continue those that there were, and how these have changed.

    Args:
        partition: its numbers tell products apart, and mean nothing else.
        catalogue: that it is of.
        members: product number by posting_id, as it was before; also of postings that are gone.
        first: the lowest number that no product ever had.
    """
    before = defaultdict[int, list[str]](list)
    for posting_id, number in members.items():
        before[number].append(posting_id)
    rows = catalogue.rows
    changes = repartitioned(before, list(partition.members(catalogue, rows).values()), first)
    numbers = np.zeros(len(partition.numbers), np.int64)
    numbers[rows] = _numbers(catalogue.ids_of(rows), before, changes)
    return replace(partition, numbers=numbers), changes


def followed(
    partition: Partition, before: ProbabilitySearch, now: ProbabilitySearch, first: int
) -> tuple[Partition, Sequence[ProductChange]]:
    """The partition after a change of the catalogue or of feedback, and how products changed.

    What changed can only have reached what is connected with it now, or with the rest of a product that it was in: two
    clusters are joined by a pair of the threshold or more, and what was never joined took no part in any other.

    Args:
        partition: of the catalogue before the change.
        before: the search over it.
        now: the search after the change, by the same matcher and with the same rows in front.
        first: the lowest number that no product ever had.
    """
    span, alive = before.catalogue.span, now.catalogue.alive
    start = _changed_rows(before, now)
    while True:
        rows, found = now.clusters.around(start[alive[start]], partition.threshold)
        touched = np.union1d(start, rows)
        every = partition.rows_of(np.setdiff1d(partition.numbers[touched[touched < span]], [NO_PRODUCT]))
        if np.isin(every[alive[every]], rows).all():
            break
        start = np.union1d(start, every)
    return _placed(
        _grown(partition, alive), now.catalogue, rows, found, partition.members(before.catalogue, every), first
    )


def _grown(partition: Partition, alive: NDArray[np.bool_]) -> Partition:
    """A partition with more rows behind the last, which are of no product, as are those that are not alive."""
    numbers, doubts = np.zeros(len(alive), np.int64), np.zeros(len(alive))
    numbers[: len(partition.numbers)], doubts[: len(partition.doubts)] = partition.numbers, partition.doubts
    numbers[~alive], doubts[~alive] = NO_PRODUCT, 0
    return replace(partition, numbers=numbers, doubts=doubts)


def _placed(
    partition: Partition,
    catalogue: Catalogue,
    rows: NDArray[np.intp],
    found: CohesiveClusters,
    members: Mapping[int, Sequence[str]],
    first: int,
) -> tuple[Partition, Sequence[ProductChange]]:
    """A partition once some rows are in clusters that were found, which continue products with some members."""
    ids, labels, doubts = catalogue.ids_of(rows), found.assignment.labels, partition.doubts.copy()
    alone = np.flatnonzero(labels < 0).tolist()
    places = [*(some.tolist() for some in found.assignment.members), *([place] for place in alone)]
    changes = repartitioned(members, [[ids[place] for place in some] for some in places], first)
    numbers = partition.numbers.copy()
    numbers[rows] = _numbers(ids, members, changes)
    doubts[rows] = np.where(labels < 0, 0, 1 - np.append(found.cohesion, 1)[labels])
    return replace(partition, numbers=numbers, doubts=doubts), changes


def _numbers(
    posting_ids: Sequence[str], members: Mapping[int, Sequence[str]], changes: Sequence[ProductChange]
) -> list[int]:
    """The product of each posting after changes, given the members before."""
    of = {posting_id: number for number, some in members.items() for posting_id in some}
    of |= {posting_id: change.number for change in changes for posting_id in change.after}
    return [of[posting_id] for posting_id in posting_ids]


def _changed_rows(before: ProbabilitySearch, now: ProbabilitySearch) -> NDArray[np.intp]:
    """Rows that came, went or are of another node, and those of postings on which feedback changed."""
    span, catalogue = before.catalogue.span, now.catalogue
    moved = (before.nodes.of_row != now.nodes.of_row[:span]) | (before.catalogue.alive != catalogue.alive[:span])
    rows = [np.flatnonzero(moved), np.arange(span, catalogue.span)]
    if before.feedback is not now.feedback:
        decided = {posting_id for *ends, _ in set(before.feedback) ^ set(now.feedback) for posting_id in ends}
        rows += [np.array(list(it.catalogue.located(decided).values()), np.intp) for it in (before, now)]
    return np.unique(np.concatenate(rows))
