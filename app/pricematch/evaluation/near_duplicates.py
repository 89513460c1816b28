"""Values that postings share, and hashes that differ in a few bits, by whether label groups agree.

Near-duplicates are mostly the same image, cropped, scaled or compressed again.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pricematch.catalogue.hashes import Hashes
from pricematch.catalogue.postings import Posting
from pricematch.evaluation.metrics import number_groups
from pricematch.search.hamming import close_hashes

UNKNOWN = -1


class Relation(IntEnum):
    """Whether postings show one product, by their label groups."""

    WITHIN = 0
    """All are of one group."""
    ACROSS = 1
    """At least two are of different groups."""
    UNCLEAR = 2
    """Neither is known, because some have no group."""


def known_groups(postings: Sequence[Posting]) -> NDArray[np.int32]:
    """The group of each posting as a number from 0, in order of appearance; −1 (UNKNOWN) where it has none."""
    return number_groups([posting.label_group for posting in postings]).astype(np.int32)


def group_sizes(groups: NDArray[np.int32]) -> NDArray[np.intp]:
    """How many postings each group has, by its number."""
    return np.bincount(groups[groups != UNKNOWN])


def relation_of(groups: NDArray[np.int32]) -> Relation:
    """The relation of some postings by their groups, [m] with m ≥ 1."""
    known = np.unique(groups[groups != UNKNOWN])
    if len(known) > 1:
        return Relation.ACROSS
    return Relation.UNCLEAR if UNKNOWN in groups else Relation.WITHIN


def choose_groups(groups: NDArray[np.int32], count: int, generator: np.random.Generator) -> list[NDArray[np.intp]]:
    """The rows of at most `count` groups of two or more postings, drawn by the square of their size less one.

    So a group of ten, of which a catalogue has few, is as likely as eighty-one pairs. The biggest come first.
    """
    sizes = group_sizes(groups)
    weights = np.square(np.maximum(sizes - 1, 0), dtype=np.float64)
    drawn = min(count, int(np.count_nonzero(weights)))
    if drawn == 0:
        return []
    chosen = generator.choice(len(sizes), drawn, replace=False, p=weights / weights.sum())
    return [np.flatnonzero(groups == group) for group in sorted(chosen, key=lambda group: (-sizes[group], group))]


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """Pairs of postings by how far apart their hashes are.

    Attributes:
        pairs: int64 [d + 1, 3], how many pairs differ in 0…d bits, by `Relation`.
        examples: int32 [k, 2], rows of some pairs that differ in 1…d bits, by `Relation`.
    """

    pairs: NDArray[np.int64]
    examples: Mapping[Relation, NDArray[np.int32]]


def find_near_duplicates(
    hashes: Hashes, groups: NDArray[np.int32], max_distance: int, examples: int, generator: np.random.Generator
) -> NearDuplicates:
    """Count the pairs of postings within 1…64 bits, and draw some examples of each relation, of different hashes each.

    Each distinct hash is compared once, so ten thousand postings of one image cost no more than one. Postings without
    a hash are in no pair; groups are int32 [n], see `known_groups`.
    """
    rows = np.flatnonzero(hashes.known)
    values, value_of = np.unique(hashes.values[rows], return_inverse=True)
    first, second, distance = close_hashes(Hashes(values, np.ones(len(values), bool)), max_distance)
    holders = _Holders(value_of, groups[rows], len(values))
    between = holders.pairs_between(first, second)
    pairs = np.zeros((max_distance + 1, len(Relation)), np.int64)
    pairs[0] = holders.pairs_among()
    np.add.at(pairs, distance, between)
    drawn = {}
    for relation in Relation:
        some = np.flatnonzero(between[:, relation])
        some = np.sort(generator.permutation(some)[:examples])
        found = [holders.example(first[pair], second[pair], relation) for pair in some]
        drawn[relation] = rows[np.array(found, np.intp).reshape(-1, 2)].astype(np.int32)
    return NearDuplicates(pairs, drawn)


class _Holders:
    """Which postings hold which hash.

    Args:
        value_of: [m], number of the hash of each posting.
        groups: int32 [m].
        count: how many hashes there are.
    """

    def __init__(self, value_of: NDArray[np.intp], groups: NDArray[np.int32], count: int) -> None:
        self._value_of, self._groups = value_of, groups
        self._total = np.bincount(value_of, minlength=count).astype(np.int64)
        known = groups != UNKNOWN
        self._known = np.bincount(value_of[known], minlength=count).astype(np.int64)
        ones = np.ones(np.count_nonzero(known), np.int64)
        shape = (count, groups.max(initial=0) + 1)
        self._by_group = csr_array((ones, (value_of[known], groups[known])), shape=shape)

    def pairs_between(self, first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int64]:
        """Pairs of a posting of each hash of `first` and one of `second`, both [p]: int64 [p, 3] by relation."""
        within = self._by_group[first].multiply(self._by_group[second]).sum(axis=1)
        return self._relations(
            self._total[first] * self._total[second], self._known[first] * self._known[second], within
        )

    def pairs_among(self) -> NDArray[np.int64]:
        """Pairs of postings of the same hash: int64 [3] by relation."""
        within = (_pairs_of(self._by_group.data)).sum()
        return self._relations(_pairs_of(self._total).sum(), _pairs_of(self._known).sum(), within)

    def example(self, first: int, second: int, relation: Relation) -> tuple[int, int]:
        """A pair of postings of these hashes that have this relation; the lower first one, then the lower second."""
        others = np.flatnonzero(self._value_of == second)
        for one in np.flatnonzero(self._value_of == first):
            if len(fitting := others[_relations_to(self._groups[one], self._groups[others]) == relation]):
                return int(one), int(fitting[0])
        raise ValueError(f"no posting of hash {first} and none of hash {second} are {relation.name}")

    @staticmethod
    def _relations(total: NDArray[np.int64], known: NDArray[np.int64], within: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.stack([within, known - within, total - known], axis=-1).astype(np.int64)


def _pairs_of(count: NDArray[np.int64]) -> NDArray[np.int64]:
    return count * (count - 1) // 2


def _relations_to(group: int, groups: NDArray[np.int32]) -> NDArray[np.int64]:
    relations = np.where(groups == group, Relation.WITHIN, Relation.ACROSS)
    return np.where((groups == UNKNOWN) | (group == UNKNOWN), Relation.UNCLEAR, relations)


@dataclass(frozen=True, eq=False)
class Repeats:
    """How often one kind of value repeats.

    Attributes:
        distinct: how many different values there are.
        missing: postings without a value.
        values: int64 [3], how many values several postings share, by `Relation` of these postings.
        postings: int64 [3], how many postings those are.
        across: the rows that share a value although their groups differ, those of most groups first, then those of
            most postings, then by first row. In each the first row of every group comes before any second one.
            Where groups are right there is none: it is label noise, or a value of little meaning.
    """

    distinct: int
    missing: int
    values: NDArray[np.int64]
    postings: NDArray[np.int64]
    across: tuple[tuple[int, ...], ...]


def find_repeats(values: Sequence[Hashable | None], groups: NDArray[np.int32]) -> Repeats:
    """Which values of n postings repeat, None where one has none; groups are int32 [n], see `known_groups`."""
    rows_of: dict[Hashable, list[int]] = {}
    for row, value in enumerate(values):
        if value is not None:
            rows_of.setdefault(value, []).append(row)
    counts = np.zeros((2, len(Relation)), np.int64)
    across = []
    for rows in rows_of.values():
        if len(rows) > 1:
            relation = relation_of(groups[rows])
            counts[:, relation] += 1, len(rows)
            if relation is Relation.ACROSS:
                across.append(_dealt(rows, groups))
    across.sort(key=lambda rows: (-len(set(groups[list(rows)].tolist()) - {UNKNOWN}), -len(rows), min(rows)))
    missing = sum(value is None for value in values)
    return Repeats(len(rows_of), missing, counts[0], counts[1], tuple(across))


def _dealt(rows: Sequence[int], groups: NDArray[np.int32]) -> tuple[int, ...]:
    """The rows in the order in which each group gives one, then each another, and so on."""
    given: Counter[int] = Counter()
    turns = []
    for row in rows:
        turns.append(given[groups[row]])
        given[groups[row]] += 1
    return tuple(row for _, row in sorted(zip(turns, rows, strict=True)))
