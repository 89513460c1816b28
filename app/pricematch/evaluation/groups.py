"""Label groups as numbers, and what they say of postings that are put side by side."""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pricematch.catalogue.postings import Posting
from pricematch.evaluation.metrics import number_groups

UNKNOWN = -1


class Relation(IntEnum):
    """Whether postings show one product, by their label groups."""

    WITHIN = 0
    """All are of one group."""
    ACROSS = 1
    """At least two are of different groups."""
    UNSAID = 2
    """Neither can be said, because some have no group."""


def known_groups(postings: Sequence[Posting]) -> NDArray[np.int32]:
    """The group of each posting as a number from 0, in order of appearance; −1 (UNKNOWN) where it has none."""
    labels = [posting.label_group for posting in postings]
    groups = np.full(len(labels), UNKNOWN, np.int32)
    groups[[label is not None for label in labels]] = number_groups([label for label in labels if label is not None])
    return groups


def group_sizes(groups: NDArray[np.int32]) -> NDArray[np.intp]:
    """How many postings each group has, by its number."""
    return np.bincount(groups[groups != UNKNOWN])


def relation_of(groups: NDArray[np.int32]) -> Relation:
    """What the groups of some postings, [m] with m ≥ 1, say of them."""
    known = np.unique(groups[groups != UNKNOWN])
    if len(known) > 1:
        return Relation.ACROSS
    return Relation.UNSAID if UNKNOWN in groups else Relation.WITHIN


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
