"""Values that several postings share: a picture, a hash, a title."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pricematch.evaluation.groups import UNKNOWN, Relation, relation_of


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
            Where groups are right there is none: it is label noise, or a value that says little.
    """

    distinct: int
    missing: int
    values: NDArray[np.int64]
    postings: NDArray[np.int64]
    across: tuple[tuple[int, ...], ...]


def find_repeats(values: Sequence[Hashable | None], groups: NDArray[np.int32]) -> Repeats:
    """Which values repeat.

    Args:
        values: of n postings, None where a posting has none.
        groups: int32 [n], see `known_groups`.
    """
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
    across.sort(key=lambda rows: (-_groups_among(groups[list(rows)]), -len(rows), min(rows)))
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


def _groups_among(groups: NDArray[np.int32]) -> int:
    return len(np.unique(groups[groups != UNKNOWN]))
