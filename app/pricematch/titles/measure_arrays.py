"""The measures of many titles as arrays, and which of two titles are each other's, rounded."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pricematch.titles.measures import Measure
from pricematch.titles.normalise import KINDS, Attribute

MOST_ATTRIBUTES = 255
"""Attributes of one title that are compared; more than any sensible title has."""
_MOST_SIDES = 3


@dataclass(frozen=True, eq=False)
class Measures:
    """The masses, volumes, lengths, areas, times and extents of n titles; one in grams may be one in ounces, rounded.

    Attributes:
        starts: int64 [n + 1]; the measures of title i stand at positions starts[i] to starts[i + 1] of the others.
        kinds: uint8 [m].
        customary: bool [m], see `quantities.Measure`, as for
        sizes, slacks: float64 [m, 3], zeros where there are fewer.
    """

    starts: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    customary: NDArray[np.bool_]
    sizes: NDArray[np.float64]
    slacks: NDArray[np.float64]

    @classmethod
    def of(cls, titles: Sequence[Sequence[Attribute]]) -> "Measures":
        """Those among the attributes of titles."""
        stated = [_measured(attributes) for attributes in titles]
        every = [it for measures in stated for it in measures]
        return cls(
            np.concatenate([[0], np.cumsum([len(measures) for measures in stated], dtype=np.int64)]),
            np.array([KINDS.index(kind) for kind, _ in every], np.uint8),
            np.array([measure.customary for _, measure in every], np.bool_),
            _padded([measure.sizes for _, measure in every]),
            _padded([measure.slacks for _, measure in every]),
        )

    def joined(self, more: "Measures") -> "Measures":
        """These and some more behind them."""
        return Measures(
            np.concatenate([self.starts, more.starts[1:] + self.starts[-1]]),
            np.concatenate([self.kinds, more.kinds]),
            np.concatenate([self.customary, more.customary]),
            np.concatenate([self.sizes, more.sizes]),
            np.concatenate([self.slacks, more.slacks]),
        )

    def spans(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the measures of some titles start, and how many they have."""
        return self.starts[rows], self.starts[rows + 1] - self.starts[rows]

    @cached_property
    def systems(self) -> NDArray[np.uint8]:
        """Of each title, whether it has measures of the metric system, 1, of the customary one, 2, or of both, 3."""
        found = np.zeros(len(self.starts) - 1, np.uint8)
        np.bitwise_or.at(found, np.repeat(np.arange(len(found)), np.diff(self.starts)), self.customary + np.uint8(1))
        return found


def rounded(
    left: Measures, left_rows: NDArray[np.integer], right: Measures, right_rows: NDArray[np.integer]
) -> NDArray[np.uint16]:
    """How many measures of the two of each pair are the same, rounded from one system to the other, [m, kinds]."""
    (first, ours), (second, theirs) = left.spans(left_rows), right.spans(right_rows)
    crossed = ours * theirs
    pairs = np.repeat(np.arange(len(crossed)), crossed)
    steps = np.arange(len(pairs)) - np.repeat(np.cumsum(crossed) - crossed, crossed)
    one, other = first[pairs] + steps // theirs[pairs], second[pairs] + steps % theirs[pairs]
    apart = np.abs(left.sizes[one] - right.sizes[other])
    same = (apart <= np.maximum(left.slacks[one], right.slacks[other])).all(axis=1)
    same &= (left.kinds[one] == right.kinds[other]) & (left.customary[one] != right.customary[other])
    cells = pairs[same] * len(KINDS) + left.kinds[one[same]]
    # each measure counts once, however many of the other title it equals
    ends = [np.unique(np.column_stack([cells, at[same]]), axis=0)[:, 0] for at in (one, other)]
    found = [np.bincount(end, minlength=len(crossed) * len(KINDS)) for end in ends]
    return np.minimum(*found).astype(np.uint16).reshape(-1, len(KINDS))


def _measured(attributes: Sequence[Attribute]) -> list[tuple[str, Measure]]:
    measures = ((it.kind, it.measure) for it in attributes[:MOST_ATTRIBUTES] if it.measure)
    return [(kind, measure) for kind, measure in measures if len(measure.sizes) <= _MOST_SIDES]


def _padded(lengths: Sequence[tuple[float, ...]]) -> NDArray[np.float64]:
    whole = np.zeros((len(lengths), _MOST_SIDES))
    for line, sides in zip(whole, lengths, strict=True):
        line[: len(sides)] = sides
    return whole
