"""Where the attributes of two titles agree and where they contradict each other, for many pairs at once.

Attributes of one system of units agree if they are equal, those of two if one is the other rounded. Plain ounces are a
mass, and a volume where the other title states that volume and no plain ounces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from pricematch.search.candidates import ranges
from pricematch.titles.measure_arrays import MOST_ATTRIBUTES, Measures, rounded
from pricematch.titles.normalise import KINDS, Attribute, ParsedTitle
from pricematch.titles.quantities import quantity

GROUPS = {
    "volume": ("volume",),
    "mass": ("mass",),
    "dimensions": ("length", "extent", "area"),
    "electric": ("power", "voltage", "charge", "storage", "frequency"),
    "count": ("count",),
    "number": ("number",),
    "model": ("model",),
    "tint": ("colour", "flavour"),
    "audience": ("audience",),
    "edition": ("edition", "size"),
    "other": ("time", "layers", "colours", "angle"),
}
"""Kinds that are summed up together."""
MEASURED = ("volume", "mass", "dimensions", "electric", "count")
"""Groups whose contradictions weigh most."""
SUMMARY = (
    *(f"{group}_conflict" for group in GROUPS),
    *("facts_shared", "facts_contradicting", "facts_unanswered"),
    *("kinds_agreeing", "kinds_clashing", "measures_agreeing", "measures_clashing"),
)
"""Names of the columns of `summarise`, in order."""

_VALUE_BITS, _KIND_BITS, _PAIR_BITS = 39, 6, 18
_COUNT, _SINGLE = KINDS.index("count"), quantity("count", 1).token
_VOLUME = KINDS.index("volume")
_BLOCK_PAIRS = 1 << _PAIR_BITS
_BOTH = 3


@dataclass(frozen=True, eq=False)
class AttributeAgreement:
    """How the attributes of m pairs of titles agree, by kind in the order of `KINDS`; the same for (a, b) and (b, a).

    Attributes:
        shared: uint8 [m, kinds], attributes that both state, rounded ones as well.
        contradicting: uint8 [m, kinds], attributes that one states and the other does not, though it states others of
            the kind.
        unanswered: uint8 [m, kinds], attributes that one states and the other does not, stating none of the kind.
        packed: bool [m], whether one states a pack of several and the other no pack size at all.
    """

    shared: NDArray[np.uint8]
    contradicting: NDArray[np.uint8]
    unanswered: NDArray[np.uint8]
    packed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.shared)


@dataclass(frozen=True, eq=False)
class TitleAttributes:
    """The attributes of n titles.

    Attributes:
        starts: int64 [n + 1]; the attributes of title i stand at positions starts[i] to starts[i + 1] of `keys`.
        keys: int64, the kind and 39 bits of a BLAKE2b digest of the value, ascending in each title, each once. They
            are the same in every process; two values of a kind are taken for one with a probability of 2⁻³⁹.
        counts: uint8 [n, kinds], how many of each kind.
        several: bool [n], whether one of them is a pack of several.
        measures: those that are measured, in other words.
        fluid: titles of plain ounces once more, as if these were fluid ones; None where there are none.
        fluid_rows: int64 [n], which of these each title is; −1 for others.
    """

    starts: NDArray[np.int64]
    keys: NDArray[np.int64]
    counts: NDArray[np.uint8]
    several: NDArray[np.bool_]
    measures: Measures
    fluid: "TitleAttributes | None"
    fluid_rows: NDArray[np.int64]

    @classmethod
    def of(cls, titles: Sequence[ParsedTitle]) -> "TitleAttributes":
        """The attributes of parsed titles."""
        return cls._of([title.attributes for title in titles], [title.fluid for title in titles])

    @classmethod
    def _of(cls, titles: Sequence[Sequence[Attribute]], fluid: Sequence[Sequence[Attribute]]) -> "TitleAttributes":
        stated = [sorted({_key(it.kind, it.value) for it in attributes[:MOST_ATTRIBUTES]}) for attributes in titles]
        starts = np.concatenate([[0], np.cumsum([len(keys) for keys in stated], dtype=np.int64)])
        keys = np.fromiter((key for keys in stated for key in keys), np.int64, int(starts[-1]))
        two = np.array([len(attributes) > 0 for attributes in fluid], np.bool_)
        again = [attributes for attributes in fluid if attributes]
        return cls(
            starts,
            keys,
            _counts(starts, keys),
            _several(starts, keys),
            Measures.of(titles),
            cls._of(again, [()] * len(again)) if again else None,
            np.where(two, np.cumsum(two) - 1, -1),
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    def joined(self, more: "TitleAttributes") -> "TitleAttributes":
        """These and some more behind them."""
        starts = np.concatenate([self.starts, more.starts[1:] + self.starts[-1]])
        keys, counts = np.concatenate([self.keys, more.keys]), np.concatenate([self.counts, more.counts])
        several = np.concatenate([self.several, more.several])
        first = len(self.fluid) if self.fluid else 0
        fluid = self.fluid.joined(more.fluid) if self.fluid and more.fluid else self.fluid or more.fluid
        fluid_rows = np.concatenate([self.fluid_rows, np.where(more.fluid_rows < 0, -1, more.fluid_rows + first)])
        return TitleAttributes(starts, keys, counts, several, self.measures.joined(more.measures), fluid, fluid_rows)


def compare(
    left: TitleAttributes, left_rows: NDArray[np.integer], right: TitleAttributes, right_rows: NDArray[np.integer]
) -> AttributeAgreement:
    """Compare pairs of titles, a quarter of a million at a time.

    Args:
        left: attributes of the first titles of the pairs; may be the same object as `right`.
        left_rows: [m], which of them.
        right: attributes of the second.
        right_rows: [m], which of them.
    """
    found = _stated(left, left_rows, right, right_rows)
    for one, ours, other, theirs in ((left, left_rows, right, right_rows), (right, right_rows, left, left_rows)):
        if one.fluid is None:
            continue
        may = (one.fluid_rows[ours] >= 0) & (other.fluid_rows[theirs] < 0) & (other.counts[theirs, _VOLUME] > 0)
        some = np.flatnonzero(may)
        fluid = _stated(one.fluid, one.fluid_rows[ours[some]], other, theirs[some])
        more = fluid.shared.sum(axis=1) > found.shared[some].sum(axis=1)
        found.shared[some[more]] = fluid.shared[more]
        found.contradicting[some[more]] = fluid.contradicting[more]
        found.unanswered[some[more]] = fluid.unanswered[more]
    return found


def _stated(
    left: TitleAttributes, left_rows: NDArray[np.integer], right: TitleAttributes, right_rows: NDArray[np.integer]
) -> AttributeAgreement:
    """How pairs agree in one reading of each title."""
    shared = np.empty((len(left_rows), len(KINDS)), np.uint8)
    for first in range(0, len(left_rows), _BLOCK_PAIRS):
        piece = slice(first, first + _BLOCK_PAIRS)
        shared[piece] = _shared(left, left_rows[piece], right, right_rows[piece])
    ours, theirs = left.counts[left_rows], right.counts[right_rows]
    mixed = np.flatnonzero(left.measures.systems[left_rows] | right.measures.systems[right_rows] == _BOTH)
    for first in range(0, len(mixed), _BLOCK_PAIRS):
        some = mixed[first : first + _BLOCK_PAIRS]
        same = rounded(left.measures, left_rows[some], right.measures, right_rows[some])
        shared[some] = np.minimum(shared[some] + same, np.minimum(ours[some], theirs[some]))
    both = (ours > 0) & (theirs > 0)
    # the two are counted apart, since their sum may be above 255
    apart = np.minimum((ours - shared).astype(np.uint16) + (theirs - shared), MOST_ATTRIBUTES).astype(np.uint8)
    packed = (left.several[left_rows] != right.several[right_rows]) & ~both[:, _COUNT]
    return AttributeAgreement(shared, apart * both, apart * ~both, packed)


def read_together(left: ParsedTitle, right: ParsedTitle) -> tuple[Sequence[Attribute], Sequence[Attribute]]:
    """The attributes of two titles as `compare` reads them, plain ounces of one as a volume where more agree so."""
    stated = left.attributes, right.attributes
    if bool(left.fluid) == bool(right.fluid):
        return stated
    fluid = left.fluid or left.attributes, right.fluid or right.attributes
    return fluid if _agreeing(*fluid) > _agreeing(*stated) else stated


def _agreeing(left: Sequence[Attribute], right: Sequence[Attribute]) -> int:
    pairs = (([it for it in side if it.kind == kind] for side in (left, right)) for kind in KINDS)
    return sum(min(sum(it.agrees(b) for it in a), sum(it.agrees(a) for it in b)) for a, b in pairs)


def summarise(found: AttributeAgreement) -> NDArray[np.float32]:
    """Float32 [m, `SUMMARY`]; the same for (a, b) and (b, a).

    A kind agrees where the two share an attribute of it, and clashes where both state some and share none. The conflict
    of a group is its clashing kinds, and half of those that agree in part, less those that agree entirely. A pack of
    several is half a conflict with a title that states no pack size, which most often means one.
    """
    agreeing, apart = found.shared > 0, found.contradicting > 0
    clashing, partly = apart & ~agreeing, apart & agreeing
    conflict = (clashing + 0.5 * partly - (agreeing & ~apart)).astype(np.float32)
    conflict[:, KINDS.index("count")] += 0.5 * found.packed
    counts = [it.sum(axis=1)[:, np.newaxis] for it in (found.shared, found.contradicting, found.unanswered)]
    kinds = [it.astype(np.float32) @ _ALL_AND_MEASURED for it in (agreeing, clashing)]
    columns = [conflict @ _IN_GROUP, *counts, *(it[:, :1] for it in kinds), *(it[:, 1:] for it in kinds)]
    return np.concatenate(columns, axis=1, dtype=np.float32)


def _shared(
    left: TitleAttributes, left_rows: NDArray[np.integer], right: TitleAttributes, right_rows: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """How many attributes the two of each pair share, by kind, uint8 [m, kinds] for m ≤ 2¹⁸."""
    keys = np.concatenate([_keys(left, left_rows), _keys(right, right_rows)])
    keys.sort(kind="stable")  # which merges two ascending runs in linear time
    twice = keys[1:][keys[1:] == keys[:-1]]
    kind = (twice >> _VALUE_BITS) & ((1 << _KIND_BITS) - 1)
    cell = (twice >> (_VALUE_BITS + _KIND_BITS)) * len(KINDS) + kind
    return np.bincount(cell, minlength=len(left_rows) * len(KINDS)).astype(np.uint8).reshape(-1, len(KINDS))


def _keys(titles: TitleAttributes, rows: NDArray[np.integer]) -> NDArray[np.int64]:
    """The attributes of some titles with the number of the pair before each, ascending."""
    places, pairs = ranges(titles.starts[rows], titles.starts[rows + 1] - titles.starts[rows])
    keys: NDArray[np.int64] = titles.keys[places] | (pairs << (_VALUE_BITS + _KIND_BITS))
    return keys


def _counts(starts: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.uint8]:
    lines = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    cells = np.bincount(lines * len(KINDS) + (keys >> _VALUE_BITS), minlength=(len(starts) - 1) * len(KINDS))
    return cells.astype(np.uint8).reshape(-1, len(KINDS))


def _several(starts: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.bool_]:
    lines = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    packs = (keys >> _VALUE_BITS == _COUNT) & (keys != _key("count", _SINGLE))
    return np.bincount(lines[packs], minlength=len(starts) - 1) > 0


@lru_cache(maxsize=1 << 16)
def _key(kind: str, value: str) -> int:
    digest = int.from_bytes(blake2b(value.encode(), digest_size=8).digest(), "big") >> (64 - _VALUE_BITS)
    return KINDS.index(kind) << _VALUE_BITS | digest


def _members(groups: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    """1 where a kind is one of a group, float32 [kinds, groups]."""
    return np.array([[kind in kinds for kinds in groups] for kind in KINDS], np.float32)


_IN_GROUP = _members(list(GROUPS.values()))
_ALL_AND_MEASURED = _members([KINDS, [kind for group in MEASURED for kind in GROUPS[group]]])
